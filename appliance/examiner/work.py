"""What the candidate's own process does, from its first import to its exit code."""

import logging
import os
import resource
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from appliance import log
from appliance.config import ApplianceConfig, load_config
from appliance.errors import ApplianceError
from appliance.examiner import candidate as candidates
from appliance.examiner.acceptance import NotAccepted, accept
from appliance.examiner.candidate import Candidate
from appliance.examiner.failure import Failed, Reason, Stage
from appliance.examiner.onlooker import Onlooker
from appliance.examiner.talk import Dismissed, Talk
from appliance.examiner.task import Task
from appliance.link import Link
from appliance.registry.config import ModelDeliveryConfig
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.memory import give_back, resident_bytes
from appliance.runtimes.prepare.background import become_background
from appliance.sandbox import Sealed, seal
from appliance.shadowing.taker import FeedEnded, Taker

logger = logging.getLogger(__name__)

STOPPED, FAILED, GONE = 0, 1, 3
_DATA_MAX_BYTES: Final = int(RuntimeConfig.model_fields["prepare_memory_max"].default)
"""The process that prepares, which is started from here, may have so much."""
_DEVICES: Final = ("nv*", "dri")
"""Of GPUs: nvidia*, nvhost*, nvmap."""
_IDLE_S: Final = 0.5


def work(task: Task, parent: int, scratch: Path, beats: int) -> int:
    """The process' code: 0 told to stop, 1 failed and told so, 3 the delivery process is gone."""
    become_background(_DATA_MAX_BYTES)
    if os.getppid() != parent:  # it had gone before we asked to end with it
        return GONE
    talk = Talk(Link.inherited(task.link), beats, task.patience_s)
    try:
        _examine(task, scratch, talk)
    except Dismissed as dismissed:
        return GONE if dismissed.is_gone else STOPPED
    except Failed as failed:
        return _told(failed, talk)
    return STOPPED


def _examine(task: Task, scratch: Path, talk: Talk) -> None:
    """Raises: Failed, Dismissed; nothing else ends it."""
    begun = time.monotonic()
    config, delivery = _config(task)
    log.setup(logging.getLevelName(config.station.log_level.upper()))
    sealed = _seal(config, scratch)
    limit = config.resources.model_memory_mb * 1_000_000
    runtime = candidates.runtime(config, task.model)
    talk.enter(Stage.LOADING, silent_s=runtime.prepare_timeout_s + runtime.warm_up_max_s, limit_bytes=limit)
    candidate = candidates.load(config, task.model, config.store_of(task.model) / task.folder, task.digest)
    give_back()
    talk.tell("loaded", _loaded(candidate, time.monotonic() - begun, sealed))
    talk.enter(Stage.ACCEPTING)
    talk.tell("accepted", {"report": accept(candidate, delivery, talk).as_json()})
    give_back()
    talk.enter(Stage.SHADOWING)
    make = partial(_taker, task)
    _attend(Onlooker(candidate, make, talk, on_one_thread=not runtime.may_have_workers and runtime.gpu is None), talk)


def _attend(onlooker: Onlooker, talk: Talk) -> None:
    """Look on while it is wanted. Raises: Dismissed."""
    is_on = False
    while True:
        talk.beat()
        message = talk.hear() if is_on else talk.hear(_IDLE_S)
        if message is not None and message.kind == "shadow":
            wanted = bool(message.body["on"])
            if wanted and not is_on:
                onlooker.switch_on()
            elif is_on and not wanted:
                onlooker.report()
            is_on = wanted
        if is_on:
            try:
                onlooker.step()
            except FeedEnded as ended:
                logger.warning("%s", ended)
                is_on = False


def _config(task: Task) -> tuple[ApplianceConfig, ModelDeliveryConfig]:
    """Raises: Failed."""
    try:
        config = load_config(task.config)
    except ApplianceError as error:
        raise Failed(Stage.LOADING, Reason.LOAD_ERROR, str(error)) from error
    delivery = config.delivered.get(task.model)
    if delivery is None:
        detail = f"{task.config} has no [models.{task.model}.delivery] any more."
        raise Failed(Stage.LOADING, Reason.LOAD_ERROR, detail)
    return config, delivery


def _seal(config: ApplianceConfig, scratch: Path) -> Sealed:
    """Raises: Failed."""
    limit = min(_DATA_MAX_BYTES, 2 * config.resources.model_memory_mb * 1_000_000 + (1 << 30))
    with suppress(OSError, ValueError):
        # The soft one: who prepares has its own. Roomy, since it counts what is reserved and never touched, too; who
        # waits looks at what is.
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    prepared = candidates.prepared_folder(config)
    devices = [one for pattern in _DEVICES for one in sorted(Path("/dev").glob(pattern))]
    try:
        prepared.mkdir(parents=True, exist_ok=True)
        return seal([prepared, scratch], devices=devices if config.resources.gpu_memory_fraction else [])
    except OSError as error:
        detail = f"{prepared} cannot be used: {error.strerror}; check the disk, and who owns the folder."
        raise Failed(Stage.LOADING, Reason.LOAD_ERROR, detail) from error


def _loaded(candidate: Candidate, seconds: float, sealed: Sealed) -> dict[str, object]:
    model = candidate.model
    return {
        "seconds": round(seconds, 3),
        "memory_bytes": resident_bytes(),
        "engine": model.engine,
        "engine_reason": model.engine_reason[:2000],
        "digest": model.digest,
        "sealed": list(sealed.in_force),
        "not_sealed": list(sealed.missing),
    }


def _taker(task: Task) -> Taker:
    if task.frames is None:
        raise RuntimeError("shadowing needs --frames-memory and --frames-socket")
    return Taker(*task.frames)


def _told(failed: Failed, talk: Talk) -> int:
    report = failed.report.as_json() if isinstance(failed, NotAccepted) else None
    body = {"stage": failed.stage.value, "reason": failed.reason.value, "detail": str(failed)[:2000], "report": report}
    try:
        talk.tell("failed", body)
    except Dismissed:
        return GONE
    return FAILED
