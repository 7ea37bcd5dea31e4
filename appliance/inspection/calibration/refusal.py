"""What a sample cannot show is not promised."""

from appliance import binomial
from appliance.inspection.errors import InspectionError


class CalibrationRefused(InspectionError):
    """The sample does not carry the wanted rate. The sentence says what would."""


def too_few(parts: int, rate: float, *, kind: str, event: str) -> CalibrationRefused:
    """`kind`: good or bad; `event`: what must not happen to one, as `a false reject`."""
    needed = binomial.needed(rate)
    if parts == 0:
        return CalibrationRefused(
            f"There is no {kind} part in the sample, which shows nothing; for {percent(rate)} with 95 % confidence "
            f"{needed} {kind} parts without {event} are needed."
        )
    bound = binomial.upper_bound(0, parts)
    return CalibrationRefused(
        f"0 of {parts} {kind} parts shows at most {percent(bound)}; for {percent(rate)} with 95 % confidence {needed} "
        f"of them without {event} are needed, {needed - parts} more than there are. What these {parts} can show is "
        f"{percent(bound, up=True)}."
    )


def percent(share: float, *, up: bool = False) -> str:
    """5.8 %: two figures, below 0.1 % one. `up`: rounded up, as a rate that can be asked for."""
    value = share * 100
    digits = 0 if value >= 10 and abs(value - round(value)) < 1e-9 else 1 if value >= 1 else 2 if value >= 0.1 else 3
    if up:
        value = -(-value * 10**digits // 1) / 10**digits
    shown = f"{value:.{digits}f}"
    return (shown.rstrip("0").rstrip(".") if "." in shown else shown) + " %"
