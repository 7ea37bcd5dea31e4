"""Good pictures, as the line would take them, or from a folder; of each only its measures are kept."""

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from appliance.commissioning.choosing import Chosen
from appliance.commissioning.errors import CommissioningError
from appliance.commissioning.opening import opened
from appliance.inspection.measure import Measurer, Measures, Rectangle
from camera.checking.trial import expose
from camera.config import FolderConfig
from camera.errors import CameraTimeout, EndOfPictures
from camera.frame import Frame, FrameStatus

PICTURES: Final = 50
_FOLDER_MOST: Final = 10_000
_COLUMNS: Final = 12
_ROWS: Final = (4, 16)
_TOLD_EVERY: Final = 10
_PACE_S: Final = 0.5
"""Between two software triggers, where the file does not say the takt."""


@dataclass(slots=True)
class Gathered:
    """What was measured."""

    size: tuple[int, int]
    """(width, height) of every picture."""
    pixel_format: str
    region: Rectangle | None
    measures: list[Measures] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    """What people call each picture."""
    ages_ms: list[float] = field(default_factory=list)
    """End of exposure to here."""
    damaged: int = 0

    @property
    def different(self) -> int:
        """How many pictures differ from all others, to the last bit of what was measured."""
        return len({(one.brightness, one.contrast, one.sharpness) for one in self.measures})


def gather(chosen: Chosen, region: Rectangle | None, options: Namespace) -> Gathered:
    """Shows how far it is. Raises: CommissioningError where no right pictures come."""
    wanted = options.pictures or (_FOLDER_MOST if options.folder else PICTURES)
    found: Gathered | None = None
    measurer = Measurer()
    for frame in _frames(chosen, options):
        if frame.status is not FrameStatus.OK or frame.pixels is None:
            print(f"left out: {frame.source}: {frame.status.value}: {frame.detail}", file=sys.stderr, flush=True)
            continue
        if found is None:
            found = _first(frame, region)
            measurer = Measurer(region, _grid(region or (0, 0, *found.size)))
        _take(found, frame, measurer)
        if len(found.measures) % _TOLD_EVERY == 0:
            print(f"… {len(found.measures)} pictures", file=sys.stderr, flush=True)
        if len(found.measures) == wanted:
            break
    if found is None:
        raise CommissioningError("No picture came that could be measured; `appliance camera check` says more.")
    return found


def _frames(chosen: Chosen, options: Namespace) -> Iterator[Frame]:
    """Endless, but for a folder that is not repeated."""
    line = None if chosen.config is None else chosen.config.cameras.get(chosen.name)
    pace_s = _PACE_S if line is None or line.takt_ms is None else line.takt_ms / 1e3
    if options.folder is not None:
        chosen, pace_s = replace(chosen, settings=FolderConfig(folder=options.folder.resolve(), repeat=False)), 0.0
    with opened(chosen) as camera:
        camera.start()
        while True:
            due = time.monotonic() + pace_s
            try:
                yield expose(camera, options.timeout)
            except EndOfPictures:
                return
            except CameraTimeout as error:
                raise CommissioningError(
                    f"No picture came in {options.timeout:g} s: {error}; let good parts pass, or see `camera check`"
                ) from error
            camera.idle()
            if not camera.triggers_itself:
                time.sleep(max(0.0, due - time.monotonic()))


def _first(frame: Frame, region: Rectangle | None) -> Gathered:
    height, width = frame.shape
    if region is not None and (region[0] + region[2] > width or region[1] + region[3] > height):
        raise CommissioningError(
            f"The recipe looks at {list(region)}, and the pictures have {width}x{height} pixels: the camera's size or "
            "the recipe's input is not right."
        )
    return Gathered((width, height), frame.pixel_format.value, region)


def _take(found: Gathered, frame: Frame, measurer: Measurer) -> None:
    name = frame.source if "." in frame.source else f"picture {len(found.measures) + 1}"
    height, width = frame.shape
    if (width, height) != found.size or frame.pixel_format.value != found.pixel_format:
        raise CommissioningError(
            f"{name} is {width}x{height} {frame.pixel_format.value}, those before it are "
            f"{found.size[0]}x{found.size[1]} {found.pixel_format}: pictures of one camera as it is set now are needed."
        )
    assert frame.pixels is not None  # seen above
    found.ages_ms.append((time.monotonic_ns() - frame.exposed_ns) / 1e6)
    found.measures.append(measurer.measure(frame.pixels, frame.pixel_format))
    found.sources.append(name)


def _grid(region: Rectangle) -> tuple[int, int]:
    """(rows, columns): cells about as high as they are wide."""
    return min(max(round(_COLUMNS * region[3] / region[2]), _ROWS[0]), _ROWS[1]), _COLUMNS
