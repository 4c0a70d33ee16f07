"""What `neuronspan-runtime cost FILE` prints: the work of a compiled model, and what it would take on which instances.

Law: a file is read and counted; no core is claimed, and no time passes but that of counting.
"""

from collections.abc import Iterable, Iterator

from neuronspan import instance_types
from neuronspan_runtime.compiling import torchscript
from neuronspan_runtime.cores import rates
from neuronspan_runtime.models import loading
from neuronspan_runtime.timing import costs, prediction, pricing

_UNITS = ("", "k", "M", "G", "T", "P")
_STEP = 1000


def of_file(path: str, instance: str = "") -> Iterator[str]:
    """Yield the lines for a saved model, for all families of instances or one instance type; torch knows the device.

    Raises RuntimeError for a file that cannot be read, InvalidHardware for an unknown instance type.
    """
    machines = [instance_types.hardware_of(instance)] if instance else list(_families())
    with loading.disable_nrt_load():
        module = torchscript.restored(path)
        programs = list(pricing.programs_of(module))
    if not programs:
        yield f"{path}: no compiled model in it"
    for program in programs:
        yield from lines(program, machines)


def lines(program: pricing.Program, machines: Iterable[instance_types.Hardware]) -> Iterator[str]:
    """Yield a program's work, and a row for each machine."""
    whole = sum(program.stages, costs.Cost())
    yield f"{program.name}: {program.cores} NeuronCore(s), casts {program.casts or 'none'}"
    for kind, flops in whole.matrix_flops:
        yield f"  matrix engine  {_short(flops)}FLOP in {kind}"
    yield f"  vector engine  {_short(whole.vector_operations)} elements"
    yield f"  weights        {_short(sum(size for _, size in whole.weight_bytes))}B"
    yield f"  moved besides  {_short(whole.moved_bytes)}B"
    if whole.unknown:
        yield f"  by their bytes {', '.join(sorted(whole.unknown))}"
    yield f"  {'on':<18}{'NeuronCores':<13}{'execution':>12}  decided by"
    for hardware in machines:
        core = rates.of(hardware)
        durations = program.durations(core)
        slowest = durations.index(max(durations))
        decided = prediction.decided_by(program.stages[slowest], core, program.casts)
        version = instance_types.INSTANCE_TYPES[hardware.instance_type].architecture
        cores = f"{hardware.logical_core_size} x {version}" if hardware.logical_core_size > 1 else version
        yield f"  {hardware.instance_type:<18}{cores:<13}{sum(durations) / 1e6:>9.3f} ms  {decided}"


def _families() -> Iterator[instance_types.Hardware]:
    """Yield the smallest machine of each family."""
    seen: set[str] = set()
    for name, known in instance_types.INSTANCE_TYPES.items():
        if known.family not in seen:
            seen.add(known.family)
            yield instance_types.hardware_of(name)


def _short(number: float) -> str:
    """Return a number with three digits and its unit's prefix, such as `22.4 G`."""
    step = 0
    while number >= _STEP and step < len(_UNITS) - 1:
        number /= _STEP
        step += 1
    return f"{number:.3g} {_UNITS[step]}"
