"""Brings what the API server, kubelet's files, the control groups and the hardware say into the resource manager.

Law: a source that does not answer changes nothing and is named in ``problems``; nothing is decided here.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from neuronspan import ledger
from neuronspan_agent import errors as agent_errors
from neuronspan_agent import signals
from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.allocation import container_edits, pod_devices, resource_manager
from neuronspan_deviceplugin.host import cdi, cgroups, checkpoint, hardware_source
from neuronspan_deviceplugin.kubelet import checkpoint_file, pod_resources
from neuronspan_deviceplugin.neuron_node import own_node, reading
from neuronspan_deviceplugin.tree import generating, reader, trees

LEDGER_SECONDS = 2.0
"""How long steering waits for a fresh ledger: kubelet's admission of pods stands still meanwhile."""

_LEAST_LOOK_SECONDS = 0.25
"""Between two looks at the hardware: some hundred files."""

_log = logging.getLogger(__name__)


class NodeObserver:
    """The sources of one node.

    ``alive`` is the last look at the pods' processes, ``book`` the ledger as it was known before that look: only of a
    pod that was over before we looked does the look prove that it left nothing.
    """

    def __init__(
        self,
        manager: resource_manager.ResourceManager,
        *,
        own: own_node.OwnNode,
        pods: pod_resources.PodResources,
        kubelet: checkpoint_file.KubeletCheckpoint,
        processes: cgroups.PodProcesses,
        record: checkpoint.RecordFile,
        hardware: hardware_source.Source,
        catalogue: cdi.Catalogue | cdi.NoCatalogue,
        nodes: container_edits.Nodes,
    ) -> None:
        self.alive: Mapping[str, bool | None] = {}
        self.book: ledger.Ledger | None = None
        self.record_problem = ""
        self.processes_visible = True
        self.hardware_problems: Sequence[str] = ()
        self.found: reader.Findings | None = None
        """What the node has, by the last look at its tree."""
        self._manager = manager
        self._own = own
        self._pods = pods
        self._kubelet = kubelet
        self._processes = processes
        self._record = record
        self._hardware = hardware
        self._catalogue = catalogue
        self._nodes = nodes
        self._faults: tuple[generating.Fault, ...] = ()
        self._label = ""
        self._faults_changed = signals.Signal()
        self._saved = manager.holdings

    def learn(self, node: reading.NeuronNode) -> None:
        """Take over ledger and faults; a ledger of other hardware only if it fits what we serve."""
        cores, book = self._manager.hardware.cores, node.book
        if book is not None and book.cores != cores:
            fits = all(each.span.end <= cores for each in book.grants)
            book = ledger.Ledger(cores, book.grants) if fits else None
        self._manager.learn_ledger(book)
        self._label = node.label
        if node.faults != self._faults:
            self._faults = node.faults
            self._faults_changed.raised()

    async def refresh_ledger(self) -> None:
        """Read the NeuronNode now, if the API server answers."""
        try:
            async with asyncio.timeout(LEDGER_SECONDS):
                self.learn(await self._own.fresh())
        except (agent_errors.KubernetesError, TimeoutError) as error:
            _log.warning("steering by the ledger as last seen", extra={"error": str(error) or "no answer"})

    async def refresh_record(self) -> Mapping[str, bool | None]:
        """Read kubelet's checkpoint and the control groups now; pod UID -> whether a process is left."""
        book = self._manager.book
        assignments = await asyncio.to_thread(self._assignments)
        wanted = self._manager.pods_of_interest(assignments)
        alive = await asyncio.to_thread(self._processes.look, wanted)
        self.processes_visible = await asyncio.to_thread(self._processes.visible)
        self._manager.learn_assignments(assignments, alive)
        self.alive, self.book = alive, book
        return alive

    async def watch_hardware(self, poll_seconds: float) -> None:
        """Look at the hardware again and again, and at once when faults are asked for or taken away."""
        while True:
            version = self._faults_changed.version
            await self.refresh_health()
            await self._faults_changed.beyond_within(version, max(poll_seconds, _LEAST_LOOK_SECONDS))

    async def refresh_health(self) -> None:
        """Look at the node's tree now: which cores are healthy, and whether it is that of the hardware served."""
        try:
            seen = await asyncio.to_thread(self._look)
        except OSError as error:
            self._note_problems([f"{error}: the node's directory and that of CDI have to be writable for the plugin"])
            return
        self.found = reader.read(seen, self._label)
        self._note_problems(list(map(str, self.found.problems)))
        self._manager.learn_health(reader.unhealthy(seen, self._manager.hardware))

    def _look(self) -> trees.Seen:
        """Look at the tree; give out its device nodes from now on: after a reload of the driver they are others."""
        seen = self._hardware.look(self._faults)
        if seen.nodes != self._nodes:
            self._catalogue.renew(seen.nodes)
            self._nodes = seen.nodes
        return seen

    def _note_problems(self, problems: Sequence[str]) -> None:
        for each in problems:
            if each not in self.hardware_problems:
                _log.warning("the hardware is not as it should be", extra={"error": each})
        self.hardware_problems = problems

    async def learn_names(self) -> None:
        """Learn the names of pods that neither a grant nor a call has named, when no allocation is under way."""
        if all(each.pod for each in self._manager.holdings if each.certain):
            return
        try:
            pods = await self._pods.list_when_quiet()
        except errors.PodResourcesError as error:
            _log.warning("pods stay without names", extra={"error": str(error)})
        else:
            self._manager.learn_pods(pods or ())

    async def save(self) -> None:
        """Write the record when it differs from what was written last."""
        current = self._manager.holdings
        if current == self._saved:
            return
        try:
            await asyncio.to_thread(self._record.save, current)
        except errors.CheckpointUnwritable as error:
            if str(error) != self.record_problem:
                _log.error("record not saved", extra={"error": str(error)})
            self.record_problem = str(error)
        else:
            self._saved = current

    def _assignments(self) -> tuple[pod_devices.Assignment, ...] | None:
        try:
            return self._kubelet.read()
        except errors.KubeletRecordUnreadable as error:
            _log.warning("kubelet's record is unreadable", extra={"error": str(error)})
            return None
