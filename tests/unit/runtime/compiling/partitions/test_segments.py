from collections.abc import Sequence

import pytest

from neuronspan_runtime.compiling.partitions import segments


def grouped(dependencies: Sequence[Sequence[int]], devices: str, *, keep_order: bool = False) -> list[str]:
    """Write each segment as its kind and members: `n0,2` runs on a NeuronCore, `c1` on the CPU."""
    found = segments.segments(dependencies, [letter == "n" for letter in devices], keep_order=keep_order)
    return ["nc"[not part.on_device] + ",".join(map(str, part.operations)) for part in found]


@pytest.mark.parametrize(
    ("dependencies", "devices", "expected"),
    [
        pytest.param([], "", [], id="nothing"),
        pytest.param([(), (0,), (1,)], "nnn", ["n0,1,2"], id="all on the device"),
        pytest.param([(), (0,), (1,)], "ccc", ["c0,1,2"], id="all on the CPU"),
        pytest.param([(), (0,), (1,)], "ncn", ["n0", "c1", "n2"], id="a chain with the CPU in the middle"),
        pytest.param([(), (), (0, 1)], "ncn", ["c1", "n0,2"], id="what can wait joins a later segment"),
        pytest.param([(), (0,), (), (1, 2)], "ncnc", ["n0,2", "c1,3"], id="what is ready joins an earlier segment"),
        pytest.param([(), (0,), (0,), (1, 2)], "nccn", ["n0", "c1,2", "n3"], id="two at once"),
        pytest.param([(), (0,), ()], "cnc", ["c0,2", "n1"], id="the CPU first"),
    ],
)  # fmt: skip
def test_segments_are_as_few_as_the_data_flow_allows(
    dependencies: Sequence[Sequence[int]], devices: str, expected: list[str]
) -> None:
    assert grouped(dependencies, devices) == expected


def test_segments_keep_the_order_when_told_to() -> None:
    assert grouped([(), (), ()], "ncn") == ["n0,2", "c1"]
    assert grouped([(), (), ()], "ncn", keep_order=True) == ["n0", "c1", "n2"]


@pytest.mark.parametrize(
    ("devices", "smallest", "fraction", "expected"),
    [
        pytest.param("nnncn", 1, 1.0, "nnncn", id="nothing is too small"),
        pytest.param("nnncn", 2, 1.0, "nnncc", id="a small segment goes to the CPU"),
        pytest.param("nncnn", 3, 1.0, "ccccc", id="all are small"),
        pytest.param("nnncn", 1, 0.5, "nnncc", id="one segment is nearly all"),
        pytest.param("nnncn", 1, 0.6, "nnncn", id="not more than the threshold"),
    ],
)
def test_shrunk_keeps_what_is_worth_compiling(devices: str, smallest: int, fraction: float, expected: str) -> None:
    chain = [range(index - 1, index) if index else () for index in range(len(devices))]
    stays = segments.shrunk(chain, [letter == "n" for letter in devices], smallest=smallest, single_fraction=fraction)
    assert "".join("nc"[not device] for device in stays) == expected
