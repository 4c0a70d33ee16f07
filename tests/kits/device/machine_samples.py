"""Samples of a machine for the monitors, without one."""

from collections.abc import Iterable, Mapping

from kits.device import pages
from neuronspan import instance_types
from neuronspan_runtime.telemetry import page_layout, processes
from neuronspan_runtime.tools import machine_view, samples

SECOND = 10**9
MEMORY = {"MemTotal": 16 * 2**30, "MemAvailable": 12 * 2**30, "SwapTotal": 4096, "SwapFree": 1024}


def system(moment: float, cpus: int = 2) -> processes.System:
    """Half of each CPU works for users, the rest idles."""
    half = round(moment * processes.TICKS_PER_SECOND / 2)
    each = (half, 0, 0, half, 0, 0, 0)
    whole = {"cpu": tuple(ticks * cpus for ticks in each)}
    return processes.System({**whole, **{f"cpu{index}": each for index in range(cpus)}}, round(moment * 100), MEMORY)


def owner(
    pid: int,
    counted: Mapping[int, page_layout.Counters],
    *,
    tag: str = "shop",
    ticks: tuple[int, int] = (0, 0),
    calls: Iterable[int] = (),
    models: Iterable[page_layout.LoadedModel] = (),
) -> machine_view.CoreOwner:
    """A process whose calls and models are on its first core."""
    first, last = min(counted), max(counted)
    found = {}
    for core, counters in counted.items():
        head = pages.header(core, f"{first}-{last}", pid=pid, tag=tag)
        own = {"calls": tuple(calls), "models": tuple(models)} if core == first else {}
        found[core] = pages.page(head, counters, **own)  # type: ignore[arg-type] # both by their names
    process = processes.Process(*ticks, start_ticks=100, resident_bytes=50 * 2**20)
    return machine_view.CoreOwner(pid, tuple(counted), "python serve.py", found, process)


def sample(
    moment: float,
    *owners: machine_view.CoreOwner,
    instance_type: str = "inf1.6xlarge",
    cores: Iterable[int] | None = None,
) -> samples.Sample:
    """A machine so many seconds after its start."""
    hardware = instance_types.hardware_of(instance_type)
    visible = tuple(range(hardware.cores)) if cores is None else tuple(cores)
    view = machine_view.MachineView(hardware, visible, owners, round(moment * SECOND), "i-0123456789abcdef0")
    return samples.Sample(view, system(moment))
