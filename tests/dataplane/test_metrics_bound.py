"""Metrics stay as large as they are, whatever names strangers ask for."""

from appliance.dataplane.metrics import CELLS_MAX, LATENCY_US, REQUEST_COUNT, RUNTIME_LATENCY, Metrics


def test_names_without_end_are_counted_together():
    metrics = Metrics()
    for number in range(CELLS_MAX + 50):
        metrics.count(REQUEST_COUNT, model_name=f"nobody-{number}", status="NOT_FOUND")
        metrics.sample(RUNTIME_LATENCY, 1.0, LATENCY_US, model_name=f"nobody-{number}")
    shown = metrics.render()
    assert ':tensorflow:serving:request_count{model_name="other",status="other"} 50' in shown
    assert shown.count(":tensorflow:serving:request_count{") == CELLS_MAX + 1
    metrics.count(REQUEST_COUNT, model_name="nobody-3", status="NOT_FOUND")
    assert ':tensorflow:serving:request_count{model_name="nobody-3",status="NOT_FOUND"} 2' in metrics.render()
