"""What the preview's page is given: a piece of the newest picture as JPEG, and its figures."""

from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np

from appliance.api.preview import Asked, Rectangle, Shown
from appliance.commissioning.choosing import Chosen
from appliance.commissioning.errors import CommissioningError
from appliance.commissioning.exposure import exposure_s
from appliance.commissioning.watching import Seen, Watching
from camera.checking.picture import Pixels, as_bgr, as_grey, as_json, figures
from camera.frame import Frame
from camera.protocol import CameraInfo

_JPEG_QUALITY: Final = 85
_BLACK, _WHITE = 4, 251
_RED, _BLUE = (0, 0, 255), (255, 80, 0)


class Showing:
    """What the page asks. Any thread. Cost: 10 to 20 ms a picture, in who asks."""

    def __init__(self, watching: Watching, chosen: Chosen, info: CameraInfo) -> None:
        self._watching = watching
        self._chosen = chosen
        self._info = info

    def about(self) -> Mapping[str, Any]:
        """What does not change."""
        exposed_s = exposure_s(self._chosen.settings, self._info)
        return {
            "camera": self._chosen.name,
            "model": self._info.model,
            "serial": self._info.serial,
            "driver": self._info.driver,
            "trigger": self._chosen.settings.trigger,
            "exposure_us": None if exposed_s is None else round(exposed_s * 1e6, 1),
            "settings": [list(pair) for pair in self._info.settings],
            "notes": list(self._info.notes),
            "regions": {name: list(one) for name, one in self._chosen.regions.items()},
        }

    def show(self, asked: Asked) -> Shown:
        """The newest picture, or what is in its way; waits for a newer one than `asked.after`."""
        seen = self._watching.look(asked.after, asked.wait_s)
        frame = seen.frame
        if frame is None or frame.pixels is None:
            return Shown(None, _counts(seen))
        height, width = frame.shape
        part = _inside(asked.part, width, height)
        state = {
            **_counts(seen),
            "width": width,
            "height": height,
            "pixel_format": frame.pixel_format.value,
            "part": list(part),
            **as_json(figures(np.ascontiguousarray(_cut(frame.pixels, part)), frame.pixel_format)),
        }
        is_new = seen.number > asked.after
        return Shown(_jpeg(frame, asked, _inside(asked.view, width, height)) if is_new else None, state)


def _counts(seen: Seen) -> dict[str, Any]:
    frame = seen.frame
    return {
        "number": seen.number,
        "sequence": None if frame is None else frame.sequence,
        "rate_hz": None if seen.rate_hz is None else round(seen.rate_hz, 1),
        "age_ms": round(seen.age_ms, 1),
        "lost": seen.lost,
        "damaged": seen.damaged,
        "skipped": seen.skipped,
        "reopened": seen.reopened,
        "problem": seen.problem,
    }


def _jpeg(frame: Frame, asked: Asked, view: Rectangle) -> bytes:
    if frame.pixels is None:
        raise RuntimeError("a frame without pixels has no picture")
    piece = _fitted(_cut(as_bgr(frame.pixels, frame.pixel_format), view), asked.width)
    if asked.clipped:
        grey = _fitted(as_grey(np.ascontiguousarray(_cut(frame.pixels, view)), frame.pixel_format), asked.width)
        if piece.ndim == 2:
            piece = np.asarray(cv2.cvtColor(piece, cv2.COLOR_GRAY2BGR), np.uint8)
        piece[grey >= _WHITE] = _RED
        piece[grey <= _BLACK] = _BLUE
    encoded, jpeg = cv2.imencode(".jpg", piece, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not encoded:
        raise CommissioningError("the picture cannot be encoded as JPEG")
    return jpeg.tobytes()


def _cut(pixels: Pixels, rectangle: Rectangle) -> Pixels:
    x, y, width, height = rectangle
    return pixels[y : y + height, x : x + width]


def _fitted(pixels: Pixels, width: int) -> Pixels:
    """Made smaller where it is wider than `width`, never larger."""
    if pixels.shape[1] <= width:
        return pixels.copy()
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _inside(rectangle: Rectangle | None, width: int, height: int) -> Rectangle:
    """At least a pixel of the picture; all of it where nothing was asked for."""
    if rectangle is None:
        return 0, 0, width, height
    x, y = min(max(0, rectangle[0]), width - 1), min(max(0, rectangle[1]), height - 1)
    right, bottom = min(width, rectangle[0] + rectangle[2]), min(height, rectangle[1] + rectangle[3])
    return x, y, max(1, right - x), max(1, bottom - y)
