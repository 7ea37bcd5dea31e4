"""What `/metrics` says of results on their way: on the disk, at the broker, and with those who read them."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from appliance.api.board import MqttStatus
from appliance.outbox.consumers import ConsumerLag
from appliance.status import OutboxStatus


def of_disk(outbox: OutboxStatus) -> Iterator[Metric]:
    """Results on the disk: those that wait for the broker, and those that are kept after it."""
    yield GaugeMetricFamily("appliance_outbox_accepting", "1 while results can be recorded on disk.", outbox.accepting)
    state = GaugeMetricFamily(
        "appliance_outbox_state",
        "1 for the state that the outbox is in; RECORDING when all is well.",
        labels=("state",),
    )
    if outbox.state:
        state.add_metric((outbox.state,), 1)
        yield state
    yield GaugeMetricFamily(
        "appliance_outbox_pending_results",
        "Results on disk that the broker has not acknowledged.",
        outbox.pending,
    )
    yield GaugeMetricFamily("appliance_outbox_pending_bytes", "Size of those results.", outbox.pending_bytes)
    yield GaugeMetricFamily(
        "appliance_outbox_oldest_age_seconds", "Age of the oldest of those results.", outbox.oldest_age_s
    )
    yield GaugeMetricFamily(
        "appliance_outbox_kept_results",
        "Results on disk that the broker has acknowledged, kept for being read and sent again.",
        outbox.kept,
    )
    yield GaugeMetricFamily("appliance_outbox_kept_bytes", "Size of those kept.", outbox.kept_bytes)
    if outbox.kept_age_s is not None:
        yield GaugeMetricFamily(
            "appliance_outbox_kept_oldest_age_seconds", "Age of the oldest of those kept.", outbox.kept_age_s
        )
    yield GaugeMetricFamily(
        "appliance_outbox_max_bytes",
        "What results on disk may take; those kept give way to those that wait.",
        outbox.max_bytes,
    )
    yield CounterMetricFamily(
        "appliance_outbox_unconfirmed",
        "Of those kept, given up for room although a consumer had not confirmed them, since the line started.",
        outbox.unconfirmed_total,
    )
    yield CounterMetricFamily(
        "appliance_outbox_recorded", "Results recorded on disk since the line started.", outbox.recorded_total
    )
    yield CounterMetricFamily(
        "appliance_outbox_lost",
        "Results that could not be kept; each is named in a gap message.",
        outbox.lost_total,
    )


def of_broker(mqtt: MqttStatus) -> Iterator[Metric]:
    """The connection, and what the broker took."""
    yield GaugeMetricFamily("appliance_mqtt_connected", "1 while the broker is connected.", mqtt.connected)
    yield CounterMetricFamily(
        "appliance_mqtt_connects",
        "Connections made since the gateway started; many in an hour: two boxes share one client id.",
        mqtt.connects_total,
    )
    yield CounterMetricFamily(
        "appliance_mqtt_acknowledged",
        "Messages acknowledged by the broker since the gateway started.",
        mqtt.acknowledged_total,
    )
    yield GaugeMetricFamily(
        "appliance_mqtt_acknowledged_per_second",
        "Results that the broker takes, over the last minute: how fast a backlog drains.",
        mqtt.taken_per_s,
    )
    yield CounterMetricFamily(
        "appliance_mqtt_refused",
        "Messages that the broker has refused since the gateway started; results among them are tried again.",
        mqtt.refused_total,
    )
    yield CounterMetricFamily(
        "appliance_mqtt_unheard",
        "Results that the broker took although nobody subscribes to them (MQTT 5 only), since the gateway started.",
        mqtt.unheard_total,
    )


def of_consumers(lags: Iterable[ConsumerLag]) -> Iterator[Metric]:
    """How far behind those are who confirm what they have read."""
    labels = ("consumer", "camera")
    unconfirmed = GaugeMetricFamily(
        "appliance_consumer_unconfirmed_results",
        "Results on disk that this consumer has not confirmed.",
        labels=labels,
    )
    behind = GaugeMetricFamily(
        "appliance_consumer_behind_seconds", "How long the oldest of these has waited for it.", labels=labels
    )
    late = GaugeMetricFamily(
        "appliance_consumer_late", "1 while that is longer than mqtt.consumer_late_s.", labels=labels
    )
    for one in lags:
        key = (one.consumer, one.camera)
        unconfirmed.add_metric(key, one.results)
        behind.add_metric(key, one.behind_s)
        late.add_metric(key, one.is_late)
    yield from (unconfirmed, behind, late)
