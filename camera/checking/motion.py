"""How far a part moves while the shutter is open. Pure."""

from typing import Final

from camera.checking.findings import Finding, note, well, wrong

_SHARP_PX: Final = 1.0
_SMEARED_PX: Final = 2.0


def blur(exposure_s: float, speed_mm_s: float, mm_per_px: float) -> Finding:
    """Half a pixel is not seen, two take small defects away."""
    smear_px = exposure_s * speed_mm_s / mm_per_px
    at_most_us = _SHARP_PX * mm_per_px / speed_mm_s * 1e6
    sentence = (
        f"at {speed_mm_s:g} mm/s a part moves {smear_px:.2g} px (of {mm_per_px:g} mm) in {exposure_s * 1e6:.0f} µs of "
        "exposure"
    )
    what = "motion blur"
    if smear_px <= _SHARP_PX:
        return well(what, sentence)
    repair = f"expose {at_most_us:.0f} µs at most, with more light (a strobe) or gain in return"
    if smear_px <= _SMEARED_PX:
        return note(what, f"{sentence}: edges are soft; {repair}")
    return wrong(what, f"{sentence}: a defect of that width is not seen; {repair}")
