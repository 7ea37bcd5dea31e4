"""Counters, gauges and histograms under TensorFlow Serving's names, in the form in which it shows them.

A name is a path such as `/tensorflow/serving/request_count`; shown to Prometheus its slashes are colons. Sources:
util/prometheus_exporter.cc (the form), servables/tensorflow/util.cc (the metrics).
"""

import bisect
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

Labels = tuple[tuple[str, str], ...]

CELLS_MAX: Final = 1000
"""Label combinations that one metric keeps apart; all others are counted together, under `other`."""

LATENCY_US: Final = tuple(10 * 1.8**power for power in range(33))
"""Upper bounds, exclusive, of request and runtime latency."""
QUEUING_US: Final = tuple(100 * 1.2**power for power in range(52))
EXAMPLE_COUNTS: Final = tuple(2.0**power for power in range(15))

REQUEST_COUNT: Final = "/tensorflow/serving/request_count"
REQUEST_LATENCY: Final = "/tensorflow/serving/request_latency"
RUNTIME_LATENCY: Final = "/tensorflow/serving/runtime_latency"
REQUEST_EXAMPLE_COUNTS: Final = "/tensorflow/serving/request_example_counts"
REQUEST_EXAMPLE_COUNT_TOTAL: Final = "/tensorflow/serving/request_example_count_total"
REQUEST_LOG_COUNT: Final = "/tensorflow/serving/request_log_count"
MODEL_WARMUP_LATENCY: Final = "/tensorflow/serving/model_warmup_latency"
MODEL_WARMUP_RECORDS: Final = "/tensorflow/serving/model_warmup_records_read"
MLMD_MAP: Final = "/tensorflow/serving/mlmd_map"
LOAD_ATTEMPTS: Final = "/tensorflow/cc/saved_model/load_attempt_count"
LOAD_LATENCY: Final = "/tensorflow/cc/saved_model/load_latency"
BATCH_QUEUING_LATENCY: Final = "/tensorflow/serving/batching_session/queuing_latency"


@dataclass(slots=True)
class _Histogram:
    bounds: Sequence[float]
    counts: list[int]
    sum: float = 0.0


@dataclass(slots=True)
class _Metric:
    kind: str
    cells: dict[Labels, float | str | _Histogram] = field(default_factory=dict)


class Metrics:
    """Threads: any. Every call takes about a microsecond, render() milliseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: dict[str, _Metric] = {}  # guarded by _lock

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """Add to a counter."""
        with self._lock:
            cells = self._of(name, "counter").cells
            key = _bounded(cells, tuple(labels.items()))
            known = cells.get(key, 0)
            assert isinstance(known, int | float)
            cells[key] = known + by

    def gauge(self, name: str, value: float | str, **labels: str) -> None:
        """Set a gauge; a text (mlmd's) is shown as TensorFlow Serving shows it."""
        with self._lock:
            cells = self._of(name, "gauge").cells
            cells[_bounded(cells, tuple(labels.items()))] = value

    def sample(self, name: str, value: float, bounds: Sequence[float], **labels: str) -> None:
        """Add to a histogram. A value equal to a bound counts in the next bucket: bounds are exclusive."""
        with self._lock:
            cells = self._of(name, "histogram").cells
            key = _bounded(cells, tuple(labels.items()))
            cell = cells.get(key)
            if not isinstance(cell, _Histogram):
                cell = cells[key] = _Histogram(bounds, [0] * (len(bounds) + 1))
            cell.counts[bisect.bisect_right(cell.bounds, value)] += 1
            cell.sum += value

    def first_cells(self, names: Sequence[str]) -> dict[str, int]:
        """Of each counter its first label combination's value, 0 for what is none: see ReloadConfigResponse.metric."""
        found: Mapping[str, _Metric]
        with self._lock:
            found = {name: self._metrics[name] for name in names if name in self._metrics}
            values = {name: next(iter(metric.cells.values()), 0) for name, metric in found.items()}
        return {name: int(value) if isinstance(value := values.get(name, 0), int | float) else 0 for name in names}

    def _of(self, name: str, kind: str) -> _Metric:
        metric = self._metrics.get(name)
        if metric is None:
            metric = self._metrics[name] = _Metric(kind)
        return metric

    def render(self) -> str:
        """Everything, in Prometheus' text format as TensorFlow Serving writes it.

        Metrics by name, a metric's cells by their labels' values; a metric that nobody has used yet is named all the
        same.
        """
        lines: list[str] = []
        with self._lock:
            known = {**{name: _Metric(kind) for name, kind in _KINDS.items()}, **self._metrics}
            for name in sorted(known):
                _add_metric(lines, name, known[name])
        return "\n".join(lines) + "\n"


def _bounded(cells: Mapping[Labels, object], key: Labels) -> Labels:
    """A stranger may ask for models of any name, and none of them may fill the memory: those too many are one."""
    if key in cells or len(cells) < CELLS_MAX:
        return key
    return tuple((name, "other") for name, _ in key)


_KINDS: Final = {
    REQUEST_COUNT: "counter",
    REQUEST_LATENCY: "histogram",
    RUNTIME_LATENCY: "histogram",
    REQUEST_EXAMPLE_COUNTS: "histogram",
    REQUEST_EXAMPLE_COUNT_TOTAL: "counter",
}
"""Those that are there from the start."""

_NOT_IN_NAMES: Final = re.compile("[^a-zA-Z0-9_]")


def _add_metric(lines: list[str], name: str, metric: _Metric) -> None:
    shown = _not_a_digit_first(_NOT_IN_NAMES.sub(":", name))
    lines.append(f"# TYPE {shown} {metric.kind}")
    for labels, cell in sorted(metric.cells.items(), key=lambda one: [value for _, value in one[0]]):
        pairs = [f'{_not_a_digit_first(_NOT_IN_NAMES.sub("_", key))}="{_escaped(value)}"' for key, value in labels]
        if isinstance(cell, _Histogram):
            _add_histogram(lines, shown, pairs, cell)
        else:
            lines.append(f"{shown}{{{','.join(pairs)}}} {cell if isinstance(cell, str) else int(cell)}")


def _add_histogram(lines: list[str], shown: str, pairs: list[str], cell: _Histogram) -> None:
    total = 0
    for bound, count in zip([*[f"{bound:g}" for bound in cell.bounds], "+Inf"], cell.counts, strict=True):
        total += count
        within = ",".join([*pairs, f'le="{bound}"'])
        lines.append(f"{shown}_bucket{{{within}}} {total}")
    lines.append(f"{shown}_sum{{{','.join(pairs)}}} {cell.sum:g}")
    lines.append(f"{shown}_count{{{','.join(pairs)}}} {total}")


def _not_a_digit_first(name: str) -> str:
    return "_" + name if name[:1].isdigit() else name


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
