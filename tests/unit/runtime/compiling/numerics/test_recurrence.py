"""Recurrent layers taken apart compute what torch's own do, and their products are cast as a user would cast them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import rnn

from neuronspan_runtime.compiling import torchscript
from neuronspan_runtime.compiling.numerics import casts, recurrence, rounding

UNOPTIMIZED: Any = torch.jit.optimized_execution  # type: ignore[attr-defined]
"""As the device runs graphs."""
untyped: Any = torch
"""torch, where it has no types of its own."""
BF16 = casts.Casts(casts.Scope.MATMULT)
ROWS, STEPS, WIDTH, HIDDEN = 3, 4, 5, 6

pytestmark = [
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),  # torch's layers look at their inputs
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
]


class Layer(nn.Module):
    """Returns all that a layer does, as a flat tuple."""

    def __init__(self, layer: nn.Module, *, packed: bool = False) -> None:
        super().__init__()
        self.layer = layer
        self.packed = packed

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if self.packed:
            lengths = torch.tensor([STEPS, STEPS, 1])
            out, state = self.layer(rnn.pack_padded_sequence(x, lengths, batch_first=True))
            out = rnn.pad_packed_sequence(out, batch_first=True)[0]
        else:
            out, state = self.layer(x)
        return out, *(state if isinstance(state, tuple) else (state,))


class Cells(nn.Module):
    """A loop of the user's own over the three cells."""

    def __init__(self, *, bias: bool) -> None:
        super().__init__()
        self.lstm, self.gru = nn.LSTMCell(WIDTH, HIDDEN, bias=bias), nn.GRUCell(HIDDEN, HIDDEN, bias=bias)
        self.rnn = nn.RNNCell(HIDDEN, HIDDEN, bias=bias, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        zeros = torch.zeros(x.size(0), self.lstm.hidden_size)
        h, c, g, r = zeros, zeros, zeros, zeros
        for step in range(x.size(1)):
            h, c = self.lstm(x[:, step], (h, c))
            g = self.gru(h, g)
            r = self.rnn(g, r)
        return h, c, g, r


class Around(nn.Module):
    """A module with a scripted one in it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = torch.jit.script(inner)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        result: tuple[torch.Tensor, ...] = self.inner(x)
        return result


def inputs() -> torch.Tensor:
    return torch.rand(ROWS, STEPS, WIDTH, generator=torch.Generator().manual_seed(1)) * 4 - 2


def recorded(module: nn.Module, x: torch.Tensor) -> Any:
    return torchscript.recorded(module, (x,))


def kinds(module: Any) -> set[str]:
    graph = str(module.inlined_graph)
    return {kind for kind in ("lstm", "gru", "rnn_tanh", "rnn_relu") if f"aten::{kind}" in graph}


def taken_apart(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    made = recorded(module, x)
    graph = made._c._get_method("forward").graph
    torch._C._jit_pass_inline(graph)
    assert kinds(made)
    recurrence.unfold(graph)
    graph.lint()
    assert not kinds(made)
    return run(made, x)


def run(made: Any, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    with torch.no_grad(), UNOPTIMIZED(should_optimize=False):
        result: tuple[torch.Tensor, ...] = made(x)
    return result


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return make().eval()


LAYERS: dict[str, Callable[..., nn.Module]] = {
    "LSTM": nn.LSTM,
    "LSTM with a projection": lambda *args, **options: nn.LSTM(*args, proj_size=4, **options),
    "GRU": nn.GRU,
    "RNN": nn.RNN,
    "RNN with relu": lambda *args, **options: nn.RNN(*args, nonlinearity="relu", **options),
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_first": True, "bias": False},
        {"num_layers": 3, "dropout": 0.5},
        {"num_layers": 2, "bidirectional": True, "batch_first": True},
    ],
    ids=["plain", "batch first, no bias", "three layers", "both ways"],
)
def test_layer_taken_apart_computes_what_torchs_does(kind: str, options: dict[str, Any]) -> None:
    layer = seeded(lambda: Layer(LAYERS[kind](WIDTH, HIDDEN, **options)))
    found = taken_apart(layer, inputs())
    for ours, theirs in zip(found, layer(inputs()), strict=True):
        torch.testing.assert_close(ours, theirs)
        assert ours.stride() == theirs.stride()


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("both", [False, True], ids=["forth", "both ways"])
def test_sequences_of_several_lengths_are_gone_through_each_to_its_end(kind: str, *, both: bool) -> None:
    layer = seeded(lambda: Layer(LAYERS[kind](WIDTH, HIDDEN, num_layers=2, bidirectional=both), packed=True))
    found = taken_apart(layer, inputs())
    for ours, theirs in zip(found, layer(inputs()), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("bias", [False, True])
def test_cells_of_scripts_taken_apart_compute_what_torchs_do(*, bias: bool) -> None:
    """When a cell is traced, torch itself takes it apart."""
    cells = seeded(lambda: Cells(bias=bias))
    found = taken_apart(Around(cells), inputs())
    for ours, theirs in zip(found, cells(inputs()), strict=True):
        torch.testing.assert_close(ours, theirs)


def low(values: torch.Tensor) -> torch.Tensor:
    return values.to(torch.bfloat16).float()


def by_hand(kind: str, layer: Any, x: torch.Tensor) -> torch.Tensor:
    """The equations of torch.nn's pages, with the factors of every product rounded and nothing else."""
    h = c = torch.zeros(ROWS, HIDDEN)
    outputs = []
    for step in range(STEPS):
        mine = low(x[:, step]) @ low(layer.weight_ih_l0).t() + layer.bias_ih_l0
        past = low(h) @ low(layer.weight_hh_l0).t() + layer.bias_hh_l0
        if kind == "LSTM":
            i, f, g, o = (mine + past).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        elif kind == "GRU":
            (r, z, n), (r_past, z_past, n_past) = mine.chunk(3, 1), past.chunk(3, 1)
            n = torch.tanh(n + torch.sigmoid(r + r_past) * n_past)
            h = n + torch.sigmoid(z + z_past) * (h - n)
        else:
            h = torch.tanh(mine + past)
        outputs.append(h)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_factors_of_every_step_are_cast_and_nothing_else(kind: str) -> None:
    layer = seeded(lambda: LAYERS[kind](WIDTH, HIDDEN, batch_first=True))
    (found, *_) = run(rounding.cast(recorded(Layer(layer), inputs()), BF16), inputs())
    with torch.no_grad():
        exact = layer(inputs())[0]
        assert torch.equal(found, by_hand(kind, layer, inputs()))
    assert not torch.equal(found, exact)
    torch.testing.assert_close(found, exact, atol=0.05, rtol=0)
    assert torch.equal(run(rounding.cast(recorded(Layer(layer), inputs()), None), inputs())[0], exact)


def test_all_rounds_the_state_between_steps() -> None:
    layer = seeded(lambda: nn.LSTM(WIDTH, HIDDEN, batch_first=True))
    everything = rounding.cast(recorded(Layer(layer), inputs()), casts.Casts(casts.Scope.ALL))
    found, _, cell = run(everything, inputs())
    assert torch.equal(found, low(found))
    assert torch.equal(cell, low(cell))


def test_layer_that_drops_values_stays_torchs_own() -> None:
    layer = Layer(nn.LSTM(WIDTH, HIDDEN, num_layers=2, dropout=0.5))
    graph = untyped.jit.trace(layer, (inputs(),), check_trace=False).inlined_graph
    recurrence.unfold(graph)
    assert "aten::lstm" in str(graph)
