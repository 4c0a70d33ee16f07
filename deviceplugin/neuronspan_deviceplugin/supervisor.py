"""The process's state machine: wait for hardware, serve it, report, stop cleanly.

WAITING --spec.hardware--> SERVING --other hardware, nothing granted or held--> SERVING that
any state --SIGTERM--> STOPPED
A new process begins with what the one before it served, as if it had never ended.

Law: hardware never changes under running grants, whoever served it; an unexpected error ends the process, and kubelet
starts it anew.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Mapping, Sequence

from neuronspan import names
from neuronspan_agent import signals
from neuronspan_agent.serving import listening, pages
from neuronspan_deviceplugin import config, inheriting, metrics, outside, serving
from neuronspan_deviceplugin.host import checkpoint, node_directory
from neuronspan_deviceplugin.kubelet import probe
from neuronspan_deviceplugin.neuron_node import conditions, own_node, reading, status_writer
from neuronspan_deviceplugin.tree import reader

SILENCE_SECONDS = 10.0
"""How long the API server may be out of reach before a node that serves nothing serves the hardware it had before."""
_GOODBYE_SECONDS = 3.0
_QUIETEST = 0.25
"""Part of the poll interval that lies between two reports, however much happens."""

_log = logging.getLogger(__name__)


class Supervisor:
    """One node agent; ``run`` ends after ``stop``."""

    def __init__(
        self,
        settings: config.Settings,
        client: own_node.Client,
        out: outside.Outside,
        *,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self.meters = metrics.Metrics()
        self.changed = signals.Signal()
        self.serving: serving.Serving | None = None
        self.port = 0
        """Of the pages; known while ``run`` runs."""
        self._settings = settings
        self._outside = out
        self._silence_seconds = silence_seconds
        self._epoch = out.new_token()
        self._node: reading.NeuronNode | None = None
        self._own = own_node.OwnNode(client, settings.node_name, self._seen, self.meters)
        self._reporter = status_writer.Reporter(self._own, out.now, self.meters)
        self._facts: status_writer.Facts | None = None
        self._found: reader.Findings | None = None
        self._stopping = asyncio.Event()
        self._directory = node_directory.NodeDirectory(settings.run_directory)
        record = checkpoint.RecordFile(settings.checkpoint)
        self._parts = serving.AgentParts(settings, self._own, out, self.meters, self.changed, record)

    def stop(self) -> None:
        """End ``run`` soon."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until stopped; raises CannotListen, and every unexpected error."""
        routes = pages.routes(self._readiness, self.meters.text)
        async with listening.serving(routes, self._settings.probe_port) as self.port:
            await self._work()

    async def _work(self) -> None:
        work = [asyncio.create_task(each) for each in (self._own.run(), self._serve(), self._report())]
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({*work, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            outcomes = await _cancelled([*work, stop])
            await self._say_goodbye()
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    # --- the NeuronNode ------------------------------------------------------------------------------------------

    def _seen(self, node: reading.NeuronNode | None) -> None:
        self._node = node
        if node is None:
            _log.warning("the node has no NeuronNode")
        else:
            for problem in node.problems:
                _log.error("the NeuronNode is not right", extra={"error": problem})
            if self.serving:
                self.serving.observer.learn(node)
        self.changed.raised()

    def _wanted(self) -> reading.HardwareProfile | None:
        return reading.wanted(self._node, self._settings.core_numbering)

    # --- serving -------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        inherits = True
        while True:
            profile = await self._profile()
            if inherits:
                numbering, before = self._settings.core_numbering, self._directory.hardware()
                profile, inherits = inheriting.inherited(profile, before, self._node, numbering), False
            async with serving.prepared(profile, self._parts) as current:
                if self._node is not None:
                    current.observer.learn(self._node)
                await current.observer.refresh_record()
                if self._is_replaceable(current):
                    continue
                await current.observer.refresh_health()
                self.serving = current
                work = [asyncio.create_task(each) for each in (current.run(), self._until_replaced(current))]
                try:
                    done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
                    for each in done:
                        each.result()
                finally:
                    await _cancelled(work)
                    self.serving = None

    async def _profile(self) -> reading.HardwareProfile:
        """Wait for the hardware; while the API server is out of reach, what the node had before will do."""
        since = self._outside.clock()
        while True:
            version = self.changed.version
            profile = self._wanted()
            if self._own.in_touch:
                since = self._outside.clock()
            elif profile is None and self._outside.clock() - since >= self._silence_seconds:
                profile = self._described()
            if profile is not None:
                return profile
            await self.changed.beyond_within(version, self._settings.poll_seconds)

    def _described(self) -> reading.HardwareProfile | None:
        before = self._directory.hardware()
        if before is None:
            return None
        _log.warning("the API server is out of reach, serving the hardware the node had before")
        return inheriting.served_before(before, self._settings.core_numbering)

    async def _until_replaced(self, current: serving.Serving) -> None:
        """Wait until the NeuronNode asks for another profile and no pod has cores of this one."""
        while True:
            version = self.changed.version
            if self._is_replaceable(current):
                return
            await self.changed.beyond_within(version, self._settings.poll_seconds)

    def _is_replaceable(self, current: serving.Serving) -> bool:
        wanted = self._wanted()
        if wanted in {None, current.profile} or not self._is_idle(current):
            return False
        _log.warning("hardware changes", extra={"before": str(current.profile), "now": str(wanted)})
        return True

    def _is_idle(self, current: serving.Serving) -> bool:
        book = self._node.book if self._node else None
        return book is not None and not book.grants and not current.manager.holdings

    # --- reporting -----------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        poll = self._settings.poll_seconds
        while True:
            version = self.changed.version
            await self._report_once()
            await asyncio.sleep(poll * _QUIETEST)
            await self.changed.beyond_within(version, poll * (1 - _QUIETEST))

    async def _report_once(self) -> None:
        current = self.serving
        if current is not None:
            await current.observer.refresh_record()
            await current.observer.learn_names()
            await current.observer.save()
        if self._node is not None:
            self._found = await self._detected(self._node, current)
            self._facts = self._facts_of(current)
            await self._reporter.report(self._facts, self._node)

    async def _detected(self, node: reading.NeuronNode, current: serving.Serving | None) -> reader.Findings | None:
        """Return what the node really has, if that is asked for; who serves it has looked at it already."""
        if not node.detected:
            return None
        if current is not None and current.profile.detected:
            return current.observer.found
        return reader.read(await asyncio.to_thread(serving.kernel(self._settings).look, ()), node.label)

    def _facts_of(self, current: serving.Serving | None) -> status_writer.Facts:
        return status_writer.Facts(
            epoch=self._epoch,
            hardware=current.profile.hardware if current else None,
            unhealthy=current.manager.unhealthy if current else {},
            holdings=current.manager.holdings if current else (),
            book=current.observer.book if current else None,
            alive=current.observer.alive if current else {},
            conditions=conditions.of_node(
                self._node.problems if self._node else (),
                self._wanted(),
                current.state() if current else None,
                None if self._found is None else list(map(str, self._found.problems)),
            ),
            detected=self._found.hardware if self._found else None,
            user_namespaces=current.user_namespaces if current else None,
        )

    async def _say_goodbye(self) -> None:
        """Tell the operator to grant nothing more here, unless a successor speaks for the node already."""
        if self._facts is None or self._node is None or self._node.status.get("epoch", self._epoch) != self._epoch:
            return
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                facts = dataclasses.replace(self._facts, conditions=conditions.stopped(self._facts.conditions))
                await self._reporter.report(facts, self._node)
        except TimeoutError:
            _log.warning("the API server does not hear the goodbye")

    async def _readiness(self) -> Mapping[str, str]:
        if self.serving is None:
            return {resource: await probe.problem(None) for resource in names.RESOURCES}
        return {each.resource: await probe.problem(each.status.socket) for each in self.serving.endpoints}


async def _cancelled(tasks: Sequence[asyncio.Task[object]]) -> list[object]:
    """Cancel and wait; gives the results and exceptions."""
    for each in tasks:
        each.cancel()
    return list(await asyncio.gather(*tasks, return_exceptions=True))
