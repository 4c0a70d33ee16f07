"""Everything that exists while one hardware profile is served, put together.

Law: built and taken down as a whole; nothing of one profile is used by the next.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator

from neuronspan import names
from neuronspan_agent import signals
from neuronspan_deviceplugin import config, errors, metrics, observing, outside
from neuronspan_deviceplugin.allocation import container_edits, resource_manager
from neuronspan_deviceplugin.host import (
    cdi,
    cgroups,
    checkpoint,
    hardware_files,
    hardware_source,
    node_directory,
    simulated_tree,
)
from neuronspan_deviceplugin.kubelet import checkpoint_file, pod_resources
from neuronspan_deviceplugin.kubelet.device_plugin import endpoint, services
from neuronspan_deviceplugin.neuron_node import conditions, own_node, reading

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class AgentParts:
    """What outlives a profile."""

    settings: config.Settings
    own: own_node.OwnNode
    outside: outside.Outside
    meters: metrics.Metrics
    changed: signals.Signal
    record: checkpoint.RecordFile


@dataclasses.dataclass(frozen=True, slots=True)
class Serving:
    """The objects of one profile."""

    profile: reading.HardwareProfile
    manager: resource_manager.ResourceManager
    observer: observing.NodeObserver
    endpoints: tuple[endpoint.Endpoint, ...]
    poll_seconds: float
    set_aside: str
    """Why the record of the process before could not be read; "" when it could."""
    user_namespaces: bool
    """Whether pods with a user namespace of their own get the devices: what is mounted, and not made (see ``cdi``)."""

    async def run(self) -> None:
        """Keep both resources registered until cancelled; raises any unexpected error."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.observer.watch_hardware(self.poll_seconds))
            for each in self.endpoints:
                group.create_task(each.run())

    def state(self) -> conditions.Served:
        """Return what of this profile works."""
        return conditions.Served(
            profile=self.profile,
            unregistered=[
                f"{each.resource}: {each.status.message}" for each in self.endpoints if not each.status.registered
            ],
            processes_visible=self.observer.processes_visible,
            record_problem=self.observer.record_problem or self.set_aside,
            hardware_problems=self.observer.hardware_problems,
        )


@contextlib.asynccontextmanager
async def prepared(profile: reading.HardwareProfile, parts: AgentParts) -> AsyncIterator[Serving]:
    """Write the node's files and build what serves the profile; nothing is registered yet. Raises CannotServe."""
    settings = parts.settings
    loaded = parts.record.load(parts.outside.stamp())
    if loaded.problem:
        _log.error("record set aside", extra={"error": loaded.problem})
    written = await asyncio.to_thread(_written, profile, settings, alone=not loaded.holdings)
    processes = cgroups.PodProcesses(settings.cgroup_root)
    manager = resource_manager.ResourceManager(
        profile.hardware,
        profile.numbering,
        catalogue=written.catalogue,
        locks=written.directory.locks,
        look=processes.look,
        clock=parts.outside.clock,
        changed=parts.changed,
        meters=parts.meters,
    )
    manager.restore(loaded.holdings)
    pods = pod_resources.PodResources(settings.pod_resources_socket, parts.outside.clock)
    observer = observing.NodeObserver(
        manager,
        own=parts.own,
        pods=pods,
        kubelet=checkpoint_file.KubeletCheckpoint(settings.kubelet_directory),
        processes=processes,
        record=parts.record,
        hardware=written.source,
        catalogue=written.catalogue,
        nodes=written.nodes,
    )
    endpoints = _endpoints(manager, pods, observer, parts)
    try:
        mounted = not profile.detected or (settings.cdi and settings.mount_devices)
        yield Serving(profile, manager, observer, endpoints, settings.poll_seconds, loaded.problem, mounted)
    finally:
        await observer.save()
        await pods.close()


def kernel(settings: config.Settings) -> hardware_source.Kernel:
    """Return the tree of the devices that the node really has."""
    return hardware_source.Kernel(
        hardware_files.Roots(settings.sysfs_root, settings.dev_root, settings.dmi_root, settings.logical_cores_file)
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Written:
    """What hardware is read from, and the catalogue of what containers get, made for these device nodes."""

    source: hardware_source.Source
    catalogue: cdi.Catalogue | cdi.NoCatalogue
    nodes: container_edits.Nodes
    directory: node_directory.NodeDirectory


def _written(profile: reading.HardwareProfile, settings: config.Settings, *, alone: bool) -> _Written:
    """Write the node's files."""
    directory = node_directory.NodeDirectory(settings.run_directory, settings.selinux_label)
    try:
        directory.write(profile.hardware, detected=profile.detected)
        source, layers = _source(profile, settings, alone=alone)
        nodes = source.look(()).nodes
        catalogue = _catalogue(settings, cdi.Node(settings.run_directory, nodes, layers, settings.mount_devices))
        documents = catalogue.write(profile.hardware, profile.numbering)
    except OSError as error:
        raise errors.CannotServe(
            f"the node's files cannot be written: {error}; {settings.run_directory} and {settings.cdi_directory} must "
            "be folders of the host, mounted writable at the same paths"
        ) from error
    facts = {"cdi_documents_written": documents, "detected": profile.detected}
    _log.info("hardware accepted", extra={**profile.hardware.to_dict(), **facts})
    return _Written(source, catalogue, nodes, directory)


def _source(
    profile: reading.HardwareProfile, settings: config.Settings, *, alone: bool
) -> tuple[hardware_source.Source, tuple[container_edits.Layer, ...]]:
    """Return what the hardware is read from, and what of it pods have to be shown: real devices show themselves."""
    if profile.detected:
        return kernel(settings), ()
    folder, label = settings.run_directory / simulated_tree.FOLDER, settings.selinux_label
    made = hardware_source.Simulated(folder, profile.hardware, alone=alone, selinux_label=label)
    shown = made.tree.shown if settings.show_devices else ()
    return made, tuple(container_edits.Layer(*each) for each in shown)


def _catalogue(settings: config.Settings, node: cdi.Node) -> cdi.Catalogue | cdi.NoCatalogue:
    return cdi.Catalogue(settings.cdi_directory, node) if settings.cdi else cdi.NoCatalogue(node)


def _endpoints(
    manager: resource_manager.ResourceManager,
    pods: pod_resources.PodResources,
    observer: observing.NodeObserver,
    parts: AgentParts,
) -> tuple[endpoint.Endpoint, ...]:
    shared = services.Services(
        manager=manager,
        pods=pods,
        node=observer,
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
