"""Everything that exists while one hardware profile is served, put together.

Law: built and taken down as a whole; nothing of one profile is used by the next.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Iterable

from neuronspan import instance_types, names
from neuronspan_agent import signals
from neuronspan_deviceplugin import (
    cdi,
    cgroups,
    checkpoint,
    config,
    endpoint,
    errors,
    kubelet_checkpoint,
    metrics,
    node_directory,
    node_status,
    node_view,
    outside,
    own_node,
    podresources,
    resource_manager,
    services,
)

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Profile:
    """What is served."""

    hardware: instance_types.Hardware
    numbering: str


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What outlives a profile."""

    settings: config.Settings
    own: own_node.OwnNode
    outside: outside.Outside
    meters: metrics.Metrics
    changed: signals.Signal
    record: checkpoint.Checkpoint


@dataclasses.dataclass(frozen=True, slots=True)
class Serving:
    """The objects of one profile."""

    profile: Profile
    manager: resource_manager.ResourceManager
    view: node_view.NodeView
    endpoints: tuple[endpoint.Endpoint, ...]
    set_aside: str
    """Why the record of the process before could not be read; "" when it could."""

    async def run(self) -> None:
        """Keep both resources registered until cancelled; raises what nobody expected."""
        async with asyncio.TaskGroup() as group:
            for each in self.endpoints:
                group.create_task(each.run())

    def conditions(self) -> tuple[node_status.Condition, ...]:
        """Say what of this profile works."""
        return (
            _registered(self.endpoints),
            _processes_visible(self.view.processes_visible),
            _record_intact(self.view.record_problem or self.set_aside),
        )


@contextlib.asynccontextmanager
async def prepared(profile: Profile, parts: Parts) -> AsyncIterator[Serving]:
    """Write the node's files and build what serves the profile; nothing is registered yet. Raises CannotServe."""
    settings = parts.settings
    catalogue = _catalogue(settings)
    _write_files(profile, settings, catalogue)
    processes = cgroups.PodProcesses(settings.cgroup_root)
    manager = resource_manager.ResourceManager(
        profile.hardware,
        profile.numbering,
        catalogue=catalogue,
        look=processes.look,
        clock=parts.outside.clock,
        changed=parts.changed,
        meters=parts.meters,
    )
    loaded = parts.record.load(parts.outside.stamp())
    if loaded.problem:
        _log.error("record set aside", extra={"error": loaded.problem})
    manager.restore(loaded.holdings)
    pods = podresources.PodResources(settings.pod_resources_socket, parts.outside.clock)
    view = node_view.NodeView(
        manager,
        own=parts.own,
        pods=pods,
        kubelet=kubelet_checkpoint.KubeletCheckpoint(settings.kubelet_directory),
        processes=processes,
        record=parts.record,
    )
    try:
        yield Serving(profile, manager, view, _endpoints(manager, pods, view, parts), loaded.problem)
    finally:
        await view.save()
        await pods.close()


def _write_files(profile: Profile, settings: config.Settings, catalogue: cdi.Catalogue | cdi.NoCatalogue) -> None:
    try:
        node_directory.NodeDirectory(settings.run_directory).write(profile.hardware)
        written = catalogue.write(profile.hardware, profile.numbering)
    except OSError as error:
        raise errors.CannotServe(
            f"the node's files cannot be written: {error}; {settings.run_directory} and {settings.cdi_directory} must "
            "be folders of the host, mounted writable at the same paths"
        ) from error
    _log.info("hardware accepted", extra={**profile.hardware.to_dict(), "cdi_documents_written": written})


def _catalogue(settings: config.Settings) -> cdi.Catalogue | cdi.NoCatalogue:
    if settings.cdi:
        return cdi.Catalogue(settings.cdi_directory, settings.run_directory)
    return cdi.NoCatalogue(settings.run_directory)


def _endpoints(
    manager: resource_manager.ResourceManager,
    pods: podresources.PodResources,
    view: node_view.NodeView,
    parts: Parts,
) -> tuple[endpoint.Endpoint, ...]:
    shared = services.Services(
        manager=manager,
        pods=pods,
        node=view,
        meters=parts.meters,
        clock=parts.outside.clock,
        poll_seconds=parts.settings.poll_seconds,
        start_wait_seconds=parts.settings.start_wait_seconds,
    )
    return tuple(
        endpoint.Endpoint(
            resource,
            shared,
            parts.settings.kubelet_socket,
            changed=parts.changed,
            new_token=parts.outside.new_token,
        )
        for resource in names.RESOURCES
    )


def _registered(endpoints: Iterable[endpoint.Endpoint]) -> node_status.Condition:
    missing = "; ".join(f"{each.resource}: {each.status.message}" for each in endpoints if not each.status.registered)
    return node_status.Condition(
        type=node_status.REGISTERED,
        holds=not missing,
        reason="NotRegistered" if missing else "Registered",
        message=missing or "kubelet knows both resources",
    )


def _processes_visible(visible: bool) -> node_status.Condition:
    hidden = (
        "the pods' control groups were not found: mount the host's cgroup file system read-only; until then no core "
        "is released"
    )
    return node_status.Condition(
        type=node_status.PROCESSES_VISIBLE,
        holds=visible,
        reason="Visible" if visible else "NoControlGroups",
        message="" if visible else hidden,
    )


def _record_intact(problem: str) -> node_status.Condition:
    return node_status.Condition(
        type=node_status.RECORD_INTACT,
        holds=not problem,
        reason="SetAside" if problem else "Intact",
        message=problem,
    )
