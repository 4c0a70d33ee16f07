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
from neuronspan_deviceplugin.allocation import resource_manager
from neuronspan_deviceplugin.host import cdi, cgroups, checkpoint, node_directory
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
    set_aside: str
    """Why the record of the process before could not be read; "" when it could."""

    async def run(self) -> None:
        """Keep both resources registered until cancelled; raises any unexpected error."""
        async with asyncio.TaskGroup() as group:
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
        )


@contextlib.asynccontextmanager
async def prepared(profile: reading.HardwareProfile, parts: AgentParts) -> AsyncIterator[Serving]:
    """Write the node's files and build what serves the profile; nothing is registered yet. Raises CannotServe."""
    settings = parts.settings
    catalogue = _catalogue(settings)
    directory = node_directory.NodeDirectory(settings.run_directory, settings.selinux_label)
    _write_files(profile, settings, catalogue, directory)
    processes = cgroups.PodProcesses(settings.cgroup_root)
    manager = resource_manager.ResourceManager(
        profile.hardware,
        profile.numbering,
        catalogue=catalogue,
        locks=directory.locks,
        look=processes.look,
        clock=parts.outside.clock,
        changed=parts.changed,
        meters=parts.meters,
    )
    loaded = parts.record.load(parts.outside.stamp())
    if loaded.problem:
        _log.error("record set aside", extra={"error": loaded.problem})
    manager.restore(loaded.holdings)
    pods = pod_resources.PodResources(settings.pod_resources_socket, parts.outside.clock)
    observer = observing.NodeObserver(
        manager,
        own=parts.own,
        pods=pods,
        kubelet=checkpoint_file.KubeletCheckpoint(settings.kubelet_directory),
        processes=processes,
        record=parts.record,
    )
    try:
        yield Serving(profile, manager, observer, _endpoints(manager, pods, observer, parts), loaded.problem)
    finally:
        await observer.save()
        await pods.close()


def _write_files(
    profile: reading.HardwareProfile,
    settings: config.Settings,
    catalogue: cdi.Catalogue | cdi.NoCatalogue,
    directory: node_directory.NodeDirectory,
) -> None:
    try:
        directory.write(profile.hardware)
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
