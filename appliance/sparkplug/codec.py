"""Sparkplug B payloads: what we publish, byte for byte as Google's encoder has it; and what others send us.

Only the fields and datatypes that this box uses are written. Reading is tolerant: what it does not know it passes over.
"""

import enum
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.sparkplug import wire
from appliance.sparkplug.errors import Undecodable

Value = bool | int | float | str | None


class DataType(enum.IntEnum):
    """Sparkplug's numbers for those that this box uses."""

    INT64 = 4
    UINT64 = 8
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


@dataclass(frozen=True, slots=True)
class Metric:
    """One named value at one moment."""

    name: str
    datatype: DataType
    value: Value
    """None: it has none at present."""
    timestamp_ms: int
    """UTC, milliseconds since 1970."""
    is_historical: bool = False
    """It was kept back while nobody could hear it."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What one message carries."""

    timestamp_ms: int
    """When it is published; UTC, milliseconds since 1970."""
    metrics: Sequence[Metric]
    seq: int | None
    """None for NDEATH alone. 0 is written as well."""


@dataclass(frozen=True, slots=True)
class Told:
    """A metric that somebody sent us. Nothing of it can be trusted."""

    name: str | None
    value: Value | bytes
    """None where it has none, or one of a kind that this box does not know."""
    datatype: int | None
    timestamp_ms: int | None
    is_historical: bool
    is_null: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """A payload that somebody sent us."""

    timestamp_ms: int | None
    metrics: Sequence[Told]
    seq: int | None


class _Payload:
    """Field numbers."""

    TIMESTAMP: Final = 1
    METRICS: Final = 2
    SEQ: Final = 3


class _Metric:
    """Field numbers."""

    NAME: Final = 1
    TIMESTAMP: Final = 3
    DATATYPE: Final = 4
    IS_HISTORICAL: Final = 5
    IS_NULL: Final = 7
    INT: Final = 10
    LONG: Final = 11
    FLOAT: Final = 12
    DOUBLE: Final = 13
    BOOLEAN: Final = 14
    STRING: Final = 15
    BYTES: Final = 16


_KINDS: Final = {
    _Metric.NAME: wire.LENGTH,
    _Metric.TIMESTAMP: wire.VARINT,
    _Metric.DATATYPE: wire.VARINT,
    _Metric.IS_HISTORICAL: wire.VARINT,
    _Metric.IS_NULL: wire.VARINT,
    _Metric.INT: wire.VARINT,
    _Metric.LONG: wire.VARINT,
    _Metric.FLOAT: wire.FIXED32,
    _Metric.DOUBLE: wire.FIXED64,
    _Metric.BOOLEAN: wire.VARINT,
    _Metric.STRING: wire.LENGTH,
    _Metric.BYTES: wire.LENGTH,
}
_SIGNED_BITS: Final = {1: 8, 2: 16, 3: 32, 4: 64}
"""Sparkplug's Int8 to Int64, which travel as unsigned numbers."""


def encode(payload: Payload, *, with_datatypes: bool) -> bytes:
    """The payload's bytes; births name each metric's datatype, data messages leave it out. About 2 µs a metric."""
    parts = [wire.number(_Payload.TIMESTAMP, payload.timestamp_ms)]
    parts += [
        wire.delimited(_Payload.METRICS, _encode_metric(one, with_datatype=with_datatypes)) for one in payload.metrics
    ]
    if payload.seq is not None:
        parts.append(wire.number(_Payload.SEQ, payload.seq))
    return b"".join(parts)


def decode(raw: bytes) -> Heard:
    """Read a payload, whoever made it. Raises: Undecodable."""
    timestamp_ms = seq = None
    metrics: list[Told] = []
    for field, kind, value in wire.fields(raw):
        match field, kind, value:
            case (_Payload.TIMESTAMP, wire.VARINT, int()):
                timestamp_ms = value
            case (_Payload.SEQ, wire.VARINT, int()):
                seq = value
            case (_Payload.METRICS, wire.LENGTH, bytes()):
                metrics.append(_decode_metric(value))
            case _:
                pass
    return Heard(timestamp_ms, metrics, seq)


def _encode_metric(metric: Metric, *, with_datatype: bool) -> bytes:
    parts = [wire.delimited(_Metric.NAME, metric.name.encode()), wire.number(_Metric.TIMESTAMP, metric.timestamp_ms)]
    if with_datatype:
        parts.append(wire.number(_Metric.DATATYPE, metric.datatype))
    if metric.is_historical:
        parts.append(wire.number(_Metric.IS_HISTORICAL, 1))
    parts.append(wire.number(_Metric.IS_NULL, 1) if metric.value is None else _encode_value(metric))
    return b"".join(parts)


def _encode_value(metric: Metric) -> bytes:
    value = metric.value or 0
    match metric.datatype:
        case DataType.INT64 | DataType.UINT64:
            return wire.number(_Metric.LONG, int(value) & (1 << 64) - 1)
        case DataType.DOUBLE:
            return wire.double(_Metric.DOUBLE, float(value))
        case DataType.BOOLEAN:
            return wire.number(_Metric.BOOLEAN, int(bool(value)))
        case DataType.STRING:
            return wire.delimited(_Metric.STRING, str(metric.value).encode(errors="replace"))


def _decode_metric(raw: bytes) -> Told:
    found = {field: value for field, kind, value in wire.fields(raw) if kind == _KINDS.get(field)}
    name = found.get(_Metric.NAME)
    datatype = _number(found.get(_Metric.DATATYPE))
    is_null = bool(found.get(_Metric.IS_NULL))
    value = None if is_null else _decode_value(found, datatype)
    return Told(
        name=_text(name) if isinstance(name, bytes) else None,
        value=value,
        datatype=datatype,
        timestamp_ms=_number(found.get(_Metric.TIMESTAMP)),
        is_historical=bool(found.get(_Metric.IS_HISTORICAL)),
        is_null=is_null,
    )


def _decode_value(found: Mapping[int, int | bytes], datatype: int | None) -> Value | bytes:
    field = next((one for one in found if one >= _Metric.INT), None)
    value = None if field is None else found[field]
    match field, value:
        case (_Metric.INT | _Metric.LONG, int()):
            bits = _SIGNED_BITS.get(datatype or 0)
            return value if bits is None else _signed(value, bits)
        case (_Metric.BOOLEAN, int()):
            return bool(value)
        case (_Metric.FLOAT, bytes()):
            return float(struct.unpack("<f", value)[0])
        case (_Metric.DOUBLE, bytes()):
            return float(struct.unpack("<d", value)[0])
        case (_Metric.STRING, bytes()):
            return _text(value)
        case _:
            return value


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> bits - 1 << bits)


def _number(found: int | bytes | None) -> int | None:
    return found if isinstance(found, int) else None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Undecodable("The payload has text that is not UTF-8") from error
