"""The model that came with the box: taken into the store, so that there is always one to go back to."""

import logging
from pathlib import Path

from appliance.registry.store.store import Store
from appliance.runtimes.digest import digest_of
from appliance.runtimes.errors import NotASavedModel

logger = logging.getLogger(__name__)


def adopt(store: Store, base_path: Path, model: str) -> None:
    """The newest version below `base_path`. Where there is none the store stays as it is, and says so.

    About 1 s a GB, at each start. Raises: StoreError, NoSpace.
    """
    versions = sorted(
        (int(entry.name), entry)
        for entry in (base_path.iterdir() if base_path.is_dir() else ())
        if entry.name.isascii() and entry.name.isdecimal() and entry.is_dir()
    )
    if not versions:
        logger.warning("%s holds no version: %s has no factory model to fall back to.", base_path, model)
        return
    version, folder = versions[-1]
    try:
        digest = digest_of(folder)
    except (NotASavedModel, OSError) as error:
        logger.warning("The factory model of %s cannot be read: %s", model, error)
        return
    factory = store.factory
    if factory is None or factory.digest != digest:
        store.adopt_factory(folder, version, digest)
        logger.info("Version %d in %s is the factory model of %s.", version, base_path, model)
