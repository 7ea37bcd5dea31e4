"""TensorFlow Serving's REST API as an OpenAPI document, for a generator that makes requests of it, right and wrong."""

_ANYTHING = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "maxLength": 40},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "array", "maxItems": 5, "items": {"anyOf": [{"type": "number"}, {"type": "array"}]}},
        {"type": "object", "properties": {"b64": {"type": "string", "maxLength": 20}}},
        {"type": "object", "properties": {"x": {"type": "number"}, "delta": {"type": "number"}}},
    ]
}
_NAMES = {"enum": ["two", "counter", "nobody", "a%2Fb", "ü", "two%00"]}
_SIGNATURE = {"enum": ["serving_default", "get_counter", "incr_counter_by", "", "nope"]}


def _body(required, properties):
    schema = {"type": "object", "required": required, "properties": {"signature_name": _SIGNATURE, **properties}}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _post(body, *parameters):
    return {
        "post": {"parameters": list(parameters), "requestBody": body, "responses": {"200": {"description": "answer"}}}
    }


def _get(*parameters):
    return {"get": {"parameters": list(parameters), "responses": {"200": {"description": "answer"}}}}


def _in_path(name, schema):
    return {"name": name, "in": "path", "required": True, "schema": schema}


_NAME = _in_path("name", _NAMES)
_VERSION = _in_path("version", {"enum": ["1", "0", "9223372036854775807", "9223372036854775808", "-1", "x"]})
_LABEL = _in_path("label", {"type": "string", "minLength": 1, "maxLength": 8})
_ROWS = {"type": "array", "items": _ANYTHING, "maxItems": 6}
_FEATURES = {"type": "object", "additionalProperties": _ANYTHING, "maxProperties": 4}
_EXAMPLES = {"type": "array", "items": _FEATURES, "maxItems": 4}
_PREDICT = _body([], {"instances": _ROWS, "inputs": _ANYTHING})
_BY_EXAMPLES = _body(["examples"], {"examples": _EXAMPLES, "context": _FEATURES})

DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "TensorFlow Serving's REST API", "version": "1"},
    "paths": {
        "/v1/models/{name}": _get(_NAME),
        "/v1/models/{name}/metadata": _get(_NAME),
        "/v1/models/{name}/versions/{version}": _get(_NAME, _VERSION),
        "/v1/models/{name}/labels/{label}": _get(_NAME, _LABEL),
        "/v1/models/{name}:predict": _post(_PREDICT, _NAME),
        "/v1/models/{name}/versions/{version}:predict": _post(_PREDICT, _NAME, _VERSION),
        "/v1/models/{name}/labels/{label}:predict": _post(_PREDICT, _NAME, _LABEL),
        "/v1/models/{name}:classify": _post(_BY_EXAMPLES, _NAME),
        "/v1/models/{name}:regress": _post(_BY_EXAMPLES, _NAME),
    },
}
