"""Recurrent layers as the operators that they are made of: inside of torch's own, nothing can be cast.

A recorded graph has LSTM, GRU and RNN layers and cells as one operation each. Here they become TorchScript that goes
through the steps, with the equations that torch.nn's pages give, products and sums one by one.

Law: pure but for the graph it is given; what comes out is what the layer computes, but for the order of its sums.
"""

import functools
from collections.abc import Mapping
from typing import Any

import torch

from neuronspan_runtime.compiling import torchscript
from neuronspan_runtime.compiling.recording import effects

_STEPS: Mapping[str, str] = {
    "rnn_tanh": "h = torch.tanh(mine + past)",
    "rnn_relu": "h = torch.relu(mine + past)",
    "gru": """
    given, kept = mine.chunk(3, 1), past.chunk(3, 1)
    update = torch.sigmoid(given[1] + kept[1])
    new = torch.tanh(given[2] + torch.sigmoid(given[0] + kept[0]) * kept[2])
    h = new + update * (h - new)
""",
    "lstm": """
    gates = (mine + past).chunk(4, 1)
    c = torch.sigmoid(gates[1]) * c + torch.sigmoid(gates[0]) * torch.tanh(gates[2])
    h = torch.sigmoid(gates[3]) * torch.tanh(c)
    if len(weights) % 2 == 1:
        h = torch.matmul(h, weights[-1].t())
""",
}
"""What becomes of the state `h`, and of an LSTM's `c`; `mine` is made of the input, `past` of the state.

An LSTM with an odd number of weights has a projection, which is the last of them.
"""

_SOURCE = """
def stepped(x: Tensor, h: Tensor, c: Tensor, weights: List[Tensor], biased: bool) -> Tuple[Tensor, Tensor]:
    mine, past = torch.matmul(x, weights[0].t()), torch.matmul(h, weights[1].t())
    if biased:
        mine, past = mine + weights[2], past + weights[3]
    {step}
    return h, c

def forth(
    data: Tensor, rows: List[int], h: Tensor, c: Tensor, weights: List[Tensor], biased: bool
) -> Tuple[Tensor, Tensor, Tensor]:
    outputs: List[Tensor] = []
    ended: List[Tensor] = []
    ended_c: List[Tensor] = []
    begin = 0
    for count in rows:
        if count < h.size(0):
            ended.append(h[count:])
            ended_c.append(c[count:])
            h, c = h[:count], c[:count]
        h, c = stepped(data[begin:begin + count], h, c, weights, biased)
        outputs.append(h)
        begin += count
    ended.append(h)
    ended_c.append(c)
    ended.reverse()
    ended_c.reverse()
    return torch.cat(outputs), torch.cat(ended), torch.cat(ended_c)

def back(
    data: Tensor, rows: List[int], h: Tensor, c: Tensor, weights: List[Tensor], biased: bool
) -> Tuple[Tensor, Tensor, Tensor]:
    outputs: List[Tensor] = []
    first, first_c = h, c
    end = data.size(0)
    h, c = first[:0], first_c[:0]
    for step in range(len(rows)):
        count = rows[len(rows) - 1 - step]
        if count > h.size(0):
            c = torch.cat([c, first_c[h.size(0):count]])
            h = torch.cat([h, first[h.size(0):count]])
        h, c = stepped(data[end - count:end], h, c, weights, biased)
        outputs.append(h)
        end -= count
    outputs.reverse()
    return torch.cat(outputs), h, c

def whole(
    data: Tensor, rows: List[int], hs: Tensor, cs: Tensor, weights: List[Tensor], biased: bool, layers: int, ways: int
) -> Tuple[Tensor, Tensor, Tensor]:
    ends: List[Tensor] = []
    ends_c: List[Tensor] = []
    each = len(weights) // (layers * ways)
    for layer in range(layers):
        at = layer * ways
        out, h, c = forth(data, rows, hs[at], cs[at], weights[at * each:at * each + each], biased)
        ends.append(h)
        ends_c.append(c)
        if ways == 2:
            at += 1
            other, h, c = back(data, rows, hs[at], cs[at], weights[at * each:at * each + each], biased)
            ends.append(h)
            ends_c.append(c)
            out = torch.cat([out, other], 1)
        data = out
    return data, torch.stack(ends), torch.stack(ends_c)

def padded(
    x: Tensor, hs: Tensor, cs: Tensor, weights: List[Tensor], biased: bool, layers: int, both: bool, batch_first: bool
) -> Tuple[Tensor, Tensor, Tensor]:
    if batch_first:
        x = x.transpose(0, 1)
    steps, count = x.size(0), x.size(1)
    data = x.reshape(steps * count, x.size(2))
    out, h, c = whole(data, [count] * steps, hs, cs, weights, biased, layers, 1 + int(both))
    out = out.reshape(steps, count, out.size(1))
    if batch_first:
        out = out.transpose(0, 1)
    return out, h, c

def packed(
    data: Tensor, sizes: Tensor, hs: Tensor, cs: Tensor, weights: List[Tensor], biased: bool, layers: int, both: bool
) -> Tuple[Tensor, Tensor, Tensor]:
    rows: List[int] = []
    for step in range(sizes.size(0)):
        rows.append(int(sizes[step]))
    return whole(data, rows, hs, cs, weights, biased, layers, 1 + int(both))

def cell(
    x: Tensor, h: Tensor, c: Tensor, w: Tensor, v: Tensor, b: Optional[Tensor], d: Optional[Tensor]
) -> Tuple[Tensor, Tensor]:
    if b is not None and d is not None:
        return stepped(x, h, c, [w, v, b, d], True)
    return stepped(x, h, c, [w, v], False)
"""

_LAYER = "weights: List[Tensor], biased: bool, layers: int, dropout: float, train: bool, both: bool"
_CELL = "w: Tensor, v: Tensor, b: Optional[Tensor], d: Optional[Tensor]"
_PADDED, _PACKED = "weights, biased, layers, both, batch_first)", "weights, biased, layers, both)"

_OF_LSTM = f"""
def input(x: Tensor, hx: List[Tensor], {_LAYER}, batch_first: bool) -> Tuple[Tensor, Tensor, Tensor]:
    return padded(x, hx[0], hx[1], {_PADDED}

def data(x: Tensor, sizes: Tensor, hx: List[Tensor], {_LAYER}) -> Tuple[Tensor, Tensor, Tensor]:
    return packed(x, sizes, hx[0], hx[1], {_PACKED}

def one(x: Tensor, hx: List[Tensor], {_CELL}) -> Tuple[Tensor, Tensor]:
    return cell(x, hx[0], hx[1], w, v, b, d)
"""
_OF_OTHERS = f"""
def input(x: Tensor, h: Tensor, {_LAYER}, batch_first: bool) -> Tuple[Tensor, Tensor]:
    out, h, _ = padded(x, h, h, {_PADDED}
    return out, h

def data(x: Tensor, sizes: Tensor, h: Tensor, {_LAYER}) -> Tuple[Tensor, Tensor]:
    out, h, _ = packed(x, sizes, h, h, {_PACKED}
    return out, h

def one(x: Tensor, h: Tensor, {_CELL}) -> Tensor:
    return cell(x, h, h, w, v, b, d)[0]
"""
"""The arguments of torch's own operators, in their order (native_functions.yaml), for the functions above."""

_CELL_SUFFIX = "_cell"


def unfold(graph: Any) -> None:
    """Replace recurrent layers and cells by what they are made of.

    A layer that drops values, as in training, stays: which ones is for torch to draw.
    """
    for node in list(effects.nodes(graph)):
        if (function := _function(node)) is None:
            continue
        with graph.insert_point_guard(node):
            results = graph.insertGraph(function, list(node.inputs()))
        for output, result in zip(node.outputs(), results, strict=True):
            output.replaceAllUsesWith(result)
        node.destroy()


def _function(node: Any) -> Any:
    """Return the graph that does what the node does, or None for another kind of node."""
    namespace, _, name = node.kind().partition("::")
    if namespace != "aten":
        return None
    if name.endswith(_CELL_SUFFIX) and name.removesuffix(_CELL_SUFFIX) in _STEPS:
        return _graph(name.removesuffix(_CELL_SUFFIX), "one")
    if name not in _STEPS or _drops(node):
        return None
    return _graph(name, effects.schema(node).overload_name)


def _drops(node: Any) -> bool:
    """Whether values between layers may be dropped; what is not known may."""
    given = dict(zip((argument.name for argument in effects.schema(node).arguments), node.inputs(), strict=True))
    return given["train"].toIValue() is not False and given["dropout"].toIValue() != 0.0


@functools.cache
def _graph(kind: str, name: str) -> Any:
    source = _SOURCE.replace("{step}", _STEPS[kind].strip("\n").removeprefix("    "))
    graph = torchscript.graph_of(source + (_OF_LSTM if kind == "lstm" else _OF_OTHERS), name)
    torch._C._jit_pass_lower_all_tuples(graph)  # noqa: SLF001 - torch has no public passes
    return graph
