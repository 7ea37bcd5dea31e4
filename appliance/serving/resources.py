"""What loading costs, and whether there is room for it.

A quantity belongs to a device ("main", "gpu"), an instance of it (gpu 0, gpu 1) and a kind ("ram", in bytes). A loader
that does not know yet which instance it will get leaves it None: unbound.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from appliance.serving.errors import UnknownResource


class Resource(NamedTuple):
    """Where a quantity lies. `instance` None: on some one instance, not yet known which."""

    device: str
    instance: int | None
    kind: str

    def __str__(self) -> str:
        return "/".join(str(part) for part in self if part is not None)


@dataclass(frozen=True, slots=True)
class ResourceAllocation:
    """How much of each resource; bytes, where the kind is "ram". Immutable; what is not named is zero."""

    quantities: Mapping[Resource, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(quantity < 0 for quantity in self.quantities.values()):
            raise RuntimeError(f"a negative quantity: {self}")
        present = {resource: quantity for resource, quantity in self.quantities.items() if quantity}
        object.__setattr__(self, "quantities", MappingProxyType(present))

    def __add__(self, other: "ResourceAllocation") -> "ResourceAllocation":
        total = defaultdict(int, self.quantities)
        for resource, quantity in other.quantities.items():
            total[resource] += quantity
        return ResourceAllocation(total)

    def __hash__(self) -> int:
        return hash(frozenset(self.quantities.items()))

    def __str__(self) -> str:
        return ", ".join(f"{r}: {q}" for r, q in sorted(self.quantities.items(), key=str)) or "nothing"


def main_ram(quantity_bytes: int) -> ResourceAllocation:
    """That much of the host's memory."""
    return ResourceAllocation({Resource("main", 0, "ram"): quantity_bytes})


def gpu_ram(quantity_bytes: int, instance: int | None = None) -> ResourceAllocation:
    """That much memory of one GPU; of whichever GPU, where no instance is given."""
    return ResourceAllocation({Resource("gpu", instance, "ram"): quantity_bytes})


class ResourceTracker:
    """Counts what is reserved against what there is.

    Threads: none of its own and no lock; the manager calls it with its own lock held. Every call takes microseconds.
    Unbound use is counted on every instance of its device (overbound): it may turn out to lie on any of them.
    """

    def __init__(self, total: ResourceAllocation, devices: Mapping[str, int] | None = None) -> None:
        """Count against `total`, which names the instance of everything, save of a device that has only one.

        `devices`: how many instances of each there are; a request for what a known device has none of does not fit.
        None: the devices are those of the total, and a request for anything else is a mistake.
        Raises: UnknownResource where an instance is not named, or is none of `devices`.
        """
        self._devices = devices
        self.total = total
        self.total = self._normal(total)
        unbound = [str(resource) for resource in self.total.quantities if resource.instance is None]
        if unbound:
            raise UnknownResource(f"the total has to name the instance of {', '.join(unbound)}")
        self._used = ResourceAllocation()

    @property
    def used(self) -> ResourceAllocation:
        """What is reserved now, unbound parts as they are."""
        return self._used

    def check(self, allocation: ResourceAllocation) -> None:
        """Raises: UnknownResource, where it names something that is not counted here."""
        self._normal(allocation)

    def recompute(self, used: Iterable[ResourceAllocation]) -> None:
        """Forget what was reserved and count these. Raises: UnknownResource, and then nothing has changed."""
        total = sum((self._normal(each) for each in used), start=ResourceAllocation())
        self._used = total

    def reserve(self, request: ResourceAllocation) -> bool:
        """Reserve all of `request`, or nothing; True where there was room. Raises: UnknownResource."""
        request = self._normal(request)
        if not self._fits(request):
            return False
        self._used += request
        return True

    def _fits(self, request: ResourceAllocation) -> bool:
        free = self._free()
        for resource, quantity in request.quantities.items():
            if resource.instance is not None:
                free[resource] -= quantity
                if free[resource] < 0:
                    return False
        return all(
            any(free[instance] >= quantity for instance in self._instances(resource))
            for resource, quantity in request.quantities.items()
            if resource.instance is None
        )

    def _free(self) -> defaultdict[Resource, int]:
        free = defaultdict(int, self.total.quantities)
        for resource, quantity in self._used.quantities.items():
            bound = resource.instance is not None
            for instance in [resource] if bound else self._instances(resource):
                free[instance] -= quantity
        return free

    def _normal(self, allocation: ResourceAllocation) -> ResourceAllocation:
        """The same, with the instance named where a device has only one."""
        normal: dict[Resource, int] = defaultdict(int)
        for resource, quantity in allocation.quantities.items():
            instances = self._instances(resource)
            if resource.instance is None and len(instances) == 1:
                normal[instances[0]] += quantity
            elif resource in instances or (resource.instance is None and instances):
                normal[resource] += quantity
            else:
                known = ", ".join(str(each) for each in self.total.quantities) or "nothing"
                raise UnknownResource(f"no such resource on this box: {resource}; counted here: {known}")
        return ResourceAllocation(normal)

    def _instances(self, resource: Resource) -> list[Resource]:
        """Where a quantity of this device and kind may lie."""
        if self._devices is not None:
            return [resource._replace(instance=number) for number in range(self._devices.get(resource.device, 0))]
        same = (resource.device, resource.kind)
        return [each for each in self.total.quantities if (each.device, each.kind) == same]
