"""Whatever a generator writes, the reader reads: hardware, generations of drivers, sizes of cores, faults."""

from hypothesis import given
from hypothesis import strategies as st

from kits.kubelet import node_parts
from neuronspan import instance_types, spans
from neuronspan_deviceplugin.tree import drivers, faults, generating, reader, trees

HARDWARE = [
    instance_types.hardware_of(each.name, size)
    for each in instance_types.INSTANCE_TYPES.values()
    for size in each.logical_core_sizes
]
MACHINES = st.tuples(st.sampled_from(HARDWARE), st.sampled_from(drivers.DRIVERS), st.booleans())


@st.composite
def _broken(draw: st.DrawFn) -> tuple[instance_types.Hardware, drivers.Driver, list[generating.Fault]]:
    hardware, driver, _ = draw(MACHINES)
    kinds = list(faults.FaultKind)
    if not drivers.lists_components(driver, hardware.instance_type):
        kinds = [*faults.CORE_COUNTERS, *faults.DEVICE_COUNTERS]
    firsts = st.integers(0, hardware.cores - 1)
    made = [
        generating.Fault(spans.CoreSpan(first, count), kind)
        for first, count, kind in draw(
            st.lists(st.tuples(firsts, st.integers(1, hardware.cores + 2), st.sampled_from(kinds)), max_size=5)
        )
    ]
    return hardware, driver, made


@given(MACHINES)
def test_reader_gives_back_what_was_generated(machine: tuple[instance_types.Hardware, drivers.Driver, bool]) -> None:
    hardware, driver, owner = machine
    nodes = node_parts.nodes(hardware.devices)
    found = reader.read(trees.seen(generating.generate(hardware, driver), nodes, owner=owner))
    assert (found.hardware, found.unhealthy, found.nodes) == (hardware, {}, nodes)
    private = driver.core_count_mode == 0o400 and not owner
    assert [each.kind for each in found.problems] == (["CoresUnreadable"] if private else [])


@given(_broken())
def test_exactly_the_cores_of_faults_are_unhealthy(
    case: tuple[instance_types.Hardware, drivers.Driver, list[generating.Fault]],
) -> None:
    hardware, driver, broken = case
    wanted: set[int] = set()
    for fault in broken:
        cores = {core for core in fault.span if core < hardware.cores}
        if fault.kind not in faults.CORE_COUNTERS:
            cores = {each for core in cores for each in hardware.cores_of_device(hardware.device_of(core))}
        wanted |= cores
    tree = generating.generate(hardware, driver, broken)
    found = reader.read(trees.seen(tree, node_parts.nodes(hardware.devices)))
    assert found.hardware == hardware
    assert set(found.unhealthy) == wanted


@given(MACHINES, st.data())
def test_half_a_tree_is_never_other_hardware(
    machine: tuple[instance_types.Hardware, drivers.Driver, bool], data: st.DataObject
) -> None:
    """Files and devices that are missing are said to be missing; what is left keeps its numbers."""
    hardware, driver, owner = machine
    tree = generating.generate(hardware, driver)
    whole = trees.seen(tree, node_parts.nodes(hardware.devices), owner=owner)
    gone = data.draw(st.sets(st.sampled_from(sorted(whole.files)), max_size=20))
    files = {path: text for path, text in whole.files.items() if path not in gone}
    lost = data.draw(st.sets(st.integers(0, hardware.devices - 1), max_size=hardware.devices))
    found = reader.read(trees.Seen(files, whole.devices - lost, whole.nodes), hardware.instance_type)
    if len(lost) == hardware.devices:
        assert [each.kind for each in found.problems] == ["NoDevices"]
        return
    sizes = {hardware, instance_types.hardware_of(hardware.instance_type)}  # without its file a size is the type's own
    assert found.hardware in sizes
    assert {found.hardware.device_of(core) for core in found.unhealthy} == lost
