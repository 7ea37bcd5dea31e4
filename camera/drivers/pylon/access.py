"""A Basler camera's features, for camera.features."""

from collections.abc import Sequence
from typing import Any, Final

from camera.config import FeatureValue
from camera.drivers.pylon.library import genicam_error, said
from camera.features import Description, FeatureRefused, Kind

_KINDS: Final[dict[int, Kind]] = {2: "integer", 3: "boolean", 4: "command", 5: "float", 6: "string", 9: "enumeration"}
"""GenApi's EInterfaceType."""


class NodeMapAccess:
    """A FeatureAccess (see camera.features) for one node map of pypylon."""

    def __init__(self, node_map: Any) -> None:
        from pypylon import genicam

        self._map = node_map
        self._genicam = genicam
        self._error = genicam_error()

    def names(self) -> Sequence[str]:
        return [one.Node.GetName() for one in self._map.GetNodes() if one.Node.IsFeature()]

    def has(self, name: str) -> bool:
        """The camera has such a feature, and it may be read or written now."""
        try:
            return bool(self._genicam.IsAvailable(self._map.GetNode(name)))
        except self._error:
            return False

    def describe(self, name: str) -> Description | None:
        try:
            parameter = self._map.GetNode(name)
            if not self._genicam.IsImplemented(parameter):
                return None
            kind = _KINDS.get(parameter.Node.GetPrincipalInterfaceType())
            if kind is None:
                raise FeatureRefused(f"{name} is not a feature that can be set")
            return self._described(parameter, kind)
        except self._error as error:
            raise FeatureRefused(said(error)) from error

    def read(self, name: str) -> FeatureValue:
        try:
            value: FeatureValue = self._map.GetNode(name).GetValue()
        except self._error as error:
            raise FeatureRefused(said(error)) from error
        return value

    def write(self, name: str, value: FeatureValue) -> None:
        try:
            self._map.GetNode(name).SetValue(value)
        except (self._error, TypeError) as error:
            raise FeatureRefused(said(error)) from error

    def execute(self, name: str) -> None:
        try:
            self._map.GetNode(name).Execute()
        except self._error as error:
            raise FeatureRefused(said(error)) from error

    def _described(self, parameter: Any, kind: Kind) -> Description:
        if kind == "enumeration":
            return Description(kind, entries=tuple(parameter.GetSettableValues()))
        if kind not in {"integer", "float"} or not self._genicam.IsAvailable(parameter):
            return Description(kind)
        increment = parameter.GetInc() if kind == "integer" or parameter.HasInc() else None
        return Description(kind, parameter.GetMin(), parameter.GetMax(), increment, parameter.GetUnit())
