"""What is made of the words of other people's programs, where they contradict themselves or say nothing."""

import json

import pytest

from kits.readers import slurm, vizneuron

HEAD = (
    "NodeName=a Gres=gpu:trainium1:2\nFound gpu:trainium1:2 with Autodetect=nrt (Substring of gpu name may be used)\n"
)
MISSING = "slurmd: error: _set_gres_device_desc: stat(/dev/neuron1): No such file or directory\n"


def _device(index: int, links: str, *, kind: str = "trainium1", file: int | None = None) -> str:
    node = index if file is None else file
    return f"slurmd: Gres Name=gpu Type={kind} Count=1 Index={index} ID=7696487 File=/dev/neuron{node} Links={links}\n"


def test_devices_links_and_missing_nodes_are_found() -> None:
    found = slurm.parse(HEAD + MISSING + _device(0, "-1,1") + _device(1, "1,-1"))
    assert (found.kind, found.count, found.without_node) == ("trainium1", 2, frozenset({1}))
    assert [found.connected_to(index) for index in found.links] == [{1}, {0}]


@pytest.mark.parametrize(
    "said",
    [
        "",
        HEAD,
        _device(0, "-1"),
        HEAD + _device(0, "-1,1") + _device(1, "1,-1", file=2),
        HEAD + _device(0, "-1,1", kind="tesla"),
    ],
    ids=["nothing", "no device", "no count", "another file", "another type"],
)
def test_slurm_that_finds_nothing_or_mixes_things_up_is_no_answer(said: str) -> None:
    with pytest.raises(ValueError, match="slurmd"):
        slurm.parse(said)


def test_last_sample_of_a_trace_counts() -> None:
    samples = [{"name": "memory_usage", "args": {"neuron0.used": value}} for value in (1.0, 2.0)]
    trace = json.dumps({"traceEvents": [{"name": "main", "args": {}}, *samples]}, indent=1)
    assert vizneuron.parse(f"[2, 2]\n{trace}") == vizneuron.Read((2, 2), {"neuron0.used": 2.0})
