"""Where the batcher's measurements go."""

from collections.abc import Callable, Mapping, Sequence

from appliance.dataplane.metrics import Metrics


def observe_into(metrics: Metrics) -> Callable[[str, float, Sequence[float] | None, Mapping[str, str]], None]:
    """What a Batcher takes as `observe`."""

    def observe(name: str, value: float, bounds: Sequence[float] | None, labels: Mapping[str, str]) -> None:
        if bounds is None:
            metrics.count(name, int(value), **labels)
        else:
            metrics.sample(name, value, bounds, **labels)

    return observe
