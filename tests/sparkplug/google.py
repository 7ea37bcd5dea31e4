"""Sparkplug B's payload in Google's protocol buffers, from a descriptor built here: the judge of our codec."""

from functools import lru_cache

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TYPES = descriptor_pb2.FieldDescriptorProto


def _field(message, name, number, kind, *, repeated=False, type_name=None, oneof=False):
    one = message.field.add()
    one.name, one.number, one.type = name, number, kind
    one.label = _TYPES.LABEL_REPEATED if repeated else _TYPES.LABEL_OPTIONAL
    if type_name is not None:
        one.type_name = type_name
    if oneof:
        one.oneof_index = 0


def _payload_class():
    file = descriptor_pb2.FileDescriptorProto(name="spb_test.proto", package="spb_test", syntax="proto2")
    payload = file.message_type.add(name="Payload")
    metric = payload.nested_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    for name, number, kind in (
        ("name", 1, _TYPES.TYPE_STRING),
        ("alias", 2, _TYPES.TYPE_UINT64),
        ("timestamp", 3, _TYPES.TYPE_UINT64),
        ("datatype", 4, _TYPES.TYPE_UINT32),
        ("is_historical", 5, _TYPES.TYPE_BOOL),
        ("is_transient", 6, _TYPES.TYPE_BOOL),
        ("is_null", 7, _TYPES.TYPE_BOOL),
    ):
        _field(metric, name, number, kind)
    for name, number, kind in (
        ("int_value", 10, _TYPES.TYPE_UINT32),
        ("long_value", 11, _TYPES.TYPE_UINT64),
        ("float_value", 12, _TYPES.TYPE_FLOAT),
        ("double_value", 13, _TYPES.TYPE_DOUBLE),
        ("boolean_value", 14, _TYPES.TYPE_BOOL),
        ("string_value", 15, _TYPES.TYPE_STRING),
        ("bytes_value", 16, _TYPES.TYPE_BYTES),
    ):
        _field(metric, name, number, kind, oneof=True)
    _field(payload, "timestamp", 1, _TYPES.TYPE_UINT64)
    _field(payload, "metrics", 2, _TYPES.TYPE_MESSAGE, repeated=True, type_name=".spb_test.Payload.Metric")
    _field(payload, "seq", 3, _TYPES.TYPE_UINT64)
    _field(payload, "uuid", 4, _TYPES.TYPE_STRING)
    _field(payload, "body", 5, _TYPES.TYPE_BYTES)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("spb_test.Payload"))


Payload = _payload_class()


@lru_cache(maxsize=8192)
def parse(raw):
    """The payload as Google reads it; not to be changed."""
    payload = Payload()
    payload.ParseFromString(raw)
    return payload


def value_of(metric):
    """What the metric holds; None for null."""
    which = metric.WhichOneof("value")
    return None if which is None else getattr(metric, which)
