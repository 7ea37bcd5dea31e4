"""Prepares one version: see the package."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.digest import digest_of
from appliance.runtimes.errors import LoadRefused
from appliance.runtimes.prepare.background import become_background
from appliance.runtimes.prepare.preparation import Preparation
from appliance.runtimes.prepare.trial import REFUSED
from appliance.runtimes.prepared import PreparedCache, key_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0: placed in the cache; 2: the version cannot be served, and stderr's last line says why."""
    parser = argparse.ArgumentParser(prog="python -m appliance.runtimes.prepare", description=__doc__)
    parser.add_argument("source", type=Path, help="the version's directory")
    parser.add_argument("cache", type=Path, help="where prepared versions are kept")
    parser.add_argument("--options", default="{}", type=json.loads, help="settings of the runtime, as a JSON object")
    given = parser.parse_args(arguments)
    config = RuntimeConfig.model_validate({**given.options, "cache": given.cache})
    become_background(config.prepare_memory_max)
    try:
        _prepare(given.source, config)
    except ApplianceError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the parent reads it
        return REFUSED if isinstance(error, LoadRefused) else 1
    return 0


def _prepare(source: Path, config: RuntimeConfig) -> None:
    digest = digest_of(source)
    cache = PreparedCache(config.cache, config.cache_max)
    with cache.staging() as staging:
        record = Preparation(source, staging, config).run(digest)
        cache.place(staging, key_of(digest, config), record)


if __name__ == "__main__":
    sys.exit(main())
