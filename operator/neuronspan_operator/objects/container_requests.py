"""What one container of a pod asks for, and the grant that serves it. Pure.

Law: a Grant is made of a request, compared with it and keyed by it here and nowhere else.
"""

import dataclasses
from typing import Protocol

from neuronspan import grants, instance_types, names, placement, spans

PlacementKey = tuple[int, str, placement.Alignment | None, int | None]


class Asker(Protocol):
    """Whose containers ask: ``pods.PodView`` is one."""

    @property
    def uid(self) -> str:
        """The pod's UID."""

    @property
    def namespace(self) -> str:
        """The pod's namespace."""

    @property
    def name(self) -> str:
        """The pod's name."""


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerRequest:
    """What one grant has to provide.

    A new field belongs into ``placement_key`` when it decides where cores are, else into ``granted`` and
    ``is_served_by``.
    """

    container: str
    count: int  # in units of ``resource``: cores, or devices whose number of cores depends on the node
    resource: str = names.CORE_RESOURCE
    align: placement.Alignment | None = None  # None: as the node's pool says
    first: int | None = None  # these very cores
    env: grants.EnvMode = grants.EnvMode.VISIBLE
    group_sizes: str = ""
    init_containers: tuple[str, ...] = ()  # their devices are handed on to ``container``, which asks for no fewer

    @property
    def devices(self) -> int:
        """Whole Neuron devices asked for, 0 when the request counts cores."""
        return self.count if self.resource == names.DEVICE_RESOURCE else 0

    def cores_on(self, hardware: instance_types.Hardware) -> int:
        """NeuronCores that this request means on a node with that hardware."""
        return self.devices * hardware.cores_per_device or self.count

    def on(self, hardware: instance_types.Hardware, rules: placement.Rules) -> placement.Request:
        """Return the placement request for a node with that hardware, whose pool has those rules.

        Whole devices start on a device whatever is said; that they are connected has to be asked for.
        """
        align = self.align or rules.align
        if self.devices and align is placement.Alignment.NONE:
            align = placement.Alignment.DEVICE
        return placement.Request(self.cores_on(hardware), align, self.first, rules.device_counts_on(hardware))

    @property
    def placement_key(self) -> PlacementKey:
        """Everything that decides where the cores may be: equal keys fit in the same places."""
        return self.count, self.resource, self.align, self.first

    def granted(
        self,
        pod: Asker,
        span: spans.CoreSpan,
        since: str,
        state: grants.GrantState = grants.GrantState.GRANTED,
    ) -> grants.Grant:
        """Return the grant of these cores to the pod's container; raises InvalidGrant when they cannot serve it."""
        return grants.Grant(
            pod_uid=pod.uid,
            namespace=pod.namespace,
            pod=pod.name,
            container=self.container,
            span=span,
            resource=self.resource,
            env=self.env,
            state=state,
            since=since,
            group_sizes=self.group_sizes,
            init_containers=self.init_containers,
        )

    def is_served_by(self, grant: grants.Grant, hardware: instance_types.Hardware) -> bool:
        """Whether the grant, on a node with that hardware, is what is asked for; alignment is only for new grants."""
        return (
            self.first in {None, grant.span.first}
            and grant.span.count == self.cores_on(hardware)
            and (grant.container, grant.resource) == (self.container, self.resource)
            and (grant.env, grant.group_sizes) == (self.env, self.group_sizes)
            and grant.init_containers == self.init_containers
        )

    def __str__(self) -> str:
        if self.first is not None:
            return f"cores {spans.CoreSpan(self.first, self.count)} for container {self.container}"
        return f"{amount(self.resource, self.count)} for container {self.container}"


def amount(resource: str, count: int) -> str:
    """Say how many of which resource, like ``4 NeuronCores``."""
    unit = "Neuron device" if resource == names.DEVICE_RESOURCE else "NeuronCore"
    return f"{count} {unit}{'' if count == 1 else 's'}"
