import io

from rich import console

from neuronspan import grants, instance_types, ledger, names, spans
from neuronspan_operator.cli import core_map
from neuronspan_operator.objects import neuron_nodes


def grant(pod: str, first: int, count: int, state: grants.GrantState = grants.GrantState.CONFIRMED) -> grants.Grant:
    return grants.Grant(
        pod_uid=f"uid-{pod}",
        namespace="default",
        pod=pod,
        container="app",
        span=spans.CoreSpan(first, count),
        resource=names.CORE_RESOURCE,
        env=grants.EnvMode.VISIBLE,
        state=state,
        since="2026-01-01T00:00:00Z",
    )


def node(
    name: str,
    instance_type: str,
    *held: grants.Grant,
    unhealthy: tuple[neuron_nodes.Unhealthy, ...] = (),
    logical_core_size: int | None = None,
) -> core_map.MappedNode:
    hardware = instance_types.hardware_of(instance_type, logical_core_size)
    return core_map.MappedNode(name, hardware, ledger.Ledger(hardware.cores, held), unhealthy)


def ailing(*cores: str, reason: str = "") -> tuple[neuron_nodes.Unhealthy, ...]:
    return tuple(neuron_nodes.Unhealthy(spans.CoreSpan.parse(each), reason) for each in cores)


def drawn(*nodes: core_map.MappedNode, colour: bool = True) -> str:
    screen = console.Console(
        width=160, file=io.StringIO(), force_terminal=colour, color_system="truecolor" if colour else None
    )
    with screen.capture() as capture:
        screen.print(core_map.render(nodes))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def plain(*nodes: core_map.MappedNode) -> str:
    return drawn(*nodes, colour=False)


def row(picture: str, start: str) -> str:
    return next(line for line in picture.splitlines() if line.strip().startswith(start))


def test_render_shows_each_core_with_the_letter_of_its_owner() -> None:
    picture = plain(node("w1", "inf2.24xlarge", grant("a", 0, 3), grant("b", 4, 2)))
    assert picture.splitlines()[1].strip() == "aa a· bb ·· ·· ··"


def test_render_counts_free_cores_and_the_longest_run() -> None:
    heading = plain(node("w1", "inf2.24xlarge", grant("a", 0, 3), grant("b", 4, 2))).splitlines()[0]
    assert heading == "w1  inf2.24xlarge  7 of 12 cores free, longest run 6"


def test_render_names_the_owner_of_each_letter() -> None:
    legend = row(plain(node("w1", "inf2.24xlarge", grant("a", 4, 3))), "a ")
    assert legend.split() == ["a", "default/a", "app", "w1", "4-6", "Confirmed"]


def test_render_strikes_releasing_cores_through() -> None:
    assert "\x1b[1;9;" in drawn(node("w1", "inf2.xlarge", grant("a", 0, 1, grants.GrantState.RELEASING)))
    assert "\x1b[1;9;" not in drawn(node("w1", "inf2.xlarge", grant("a", 0, 1)))


def test_render_marks_unhealthy_cores_only_when_nobody_owns_them() -> None:
    picture = plain(node("w1", "inf2.24xlarge", grant("a", 0, 1), unhealthy=ailing("0", "11")))
    assert picture.splitlines()[1].strip() == "a· ·· ·· ·· ·· ·!"


def test_render_says_which_cores_are_unhealthy_and_why() -> None:
    unhealthy = ailing("2-3", reason="NEURON_HW_ERR=9") + ailing("11")
    picture = plain(node("w1", "inf2.24xlarge", unhealthy=unhealthy), node("w2", "inf2.24xlarge"))
    assert picture.splitlines()[1:4] == ["  ·· !! ·· ·· ·· ·!", "  ! unhealthy: 2-3 (NEURON_HW_ERR=9), 11", ""]
    assert picture.count("unhealthy") == 1


def test_render_continues_large_nodes_on_the_next_line() -> None:
    lines = plain(node("w1", "trn2.48xlarge", grant("late", 120, 8), logical_core_size=1)).splitlines()
    assert lines[1].count("·") == 64
    assert lines[2].endswith("········ aaaaaaaa")


def test_render_without_a_grant_has_no_legend() -> None:
    assert "container" not in plain(node("w1", "inf2.xlarge"))
