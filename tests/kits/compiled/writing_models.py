"""Models that write in place into what is not theirs: inputs, buffers, weights, variables, and views of these."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

WIDTH = 8
ROWS = 2
untyped: Any = torch
"""torch, where it has no types of its own."""

captured = torch.zeros(WIDTH)
"""A variable of a module of Python's that a model writes into."""


class Writing(torch.nn.Module):
    """What the models below have: two buffers that share bytes, a counter, a weight, a list."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("counter", torch.zeros(1))
        self.register_buffer("history", torch.arange(float(WIDTH)))
        self.register_buffer("recent", self.history[2:5])
        self.layer = torch.nn.Linear(WIDTH, WIDTH)
        self.norm = torch.nn.BatchNorm1d(WIDTH)
        self.plain = [torch.zeros(WIDTH)]
        self.counter: torch.Tensor
        self.history: torch.Tensor
        self.recent: torch.Tensor

    def forward(self, values: torch.Tensor) -> Any:
        """Write nothing that others see, only into a value of its own."""
        return torch.relu_(self.layer(values))


class Input(Writing):
    def forward(self, values: torch.Tensor) -> Any:
        values.sub_(0.5)
        return self.layer(values) * 2


class ViewOfInput(Writing):
    def forward(self, values: torch.Tensor) -> Any:
        part = values[:, 1:].transpose(0, 1)
        part.mul_(3)
        return self.layer(values), part.amax().expand(ROWS)


class Counter(Writing):
    def forward(self, values: torch.Tensor) -> Any:
        self.counter.add_(1)
        return self.layer(values) + self.counter


class SharedBuffers(Writing):
    def forward(self, values: torch.Tensor) -> Any:
        self.recent.add_(values[0, 0])
        return self.layer(values) + self.history, self.recent.expand(ROWS, 3)


class Weight(Writing):
    def forward(self, values: torch.Tensor) -> Any:
        with torch.no_grad():
            self.layer.bias.add_(1)
        return self.layer(values)


class RunningStatistics(Writing):
    """Training mode, in which batch norm writes without a word in its schema."""

    def forward(self, values: torch.Tensor) -> Any:
        self.norm.train()
        mean: Any = self.norm.running_mean
        return self.norm(self.layer(values)), mean.expand(ROWS, WIDTH)


class Captured(Writing):
    def forward(self, values: torch.Tensor) -> Any:
        captured.add_(1)
        self.plain[0].add_(values[0])
        return self.layer(values) + captured + self.plain[0]


class Together(Writing):
    """One operator that writes into a list of an input and a buffer."""

    def forward(self, values: torch.Tensor) -> Any:
        untyped._foreach_add_([values, self.history], 1.0)
        return self.layer(values) * self.history


def _stepped(values: torch.Tensor, steps: int) -> torch.Tensor:
    """Write in a branch of a loop."""
    for _ in range(steps):
        if bool(values.sum() > 0):
            values.sub_(1)
        else:
            values.add_(2)
    return values


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    stepped: Callable[[torch.Tensor, int], torch.Tensor] = untyped.jit.script(_stepped)


class Pieces(Writing):
    """Writes into views that come in a list."""

    def forward(self, values: torch.Tensor) -> Any:
        _, right = values.chunk(2, dim=1)
        right.mul_(2)
        self.history.tensor_split(2)[1].add_(1)
        return self.layer(values) + self.history


class InBranches(Writing):
    def forward(self, values: torch.Tensor) -> Any:
        return self.layer(stepped(values, 3)) + self.layer(stepped(self.history.reshape(1, WIDTH), 2))


class Indexed(Writing):
    def forward(self, values: torch.Tensor) -> Any:
        values[:, 0] = 1.0
        self.history[3] = values[0, 1]
        return self.layer(values) + self.history


class Dropped(Writing):
    """Dropout, which returns its argument itself outside of training, and the argument written after it."""

    def forward(self, values: torch.Tensor) -> Any:
        torch.relu_(functional.dropout(self.history, training=False))
        kept = functional.dropout(values, training=False)
        values.mul_(2)
        return self.layer(kept) + self.history, kept


class Undeclared(Writing):
    """Operators whose results share memory with their arguments without a word in their schema."""

    def forward(self, values: torch.Tensor) -> Any:
        values.type_as(self.history).add_(1)
        untyped.atleast_3d(values).mul_(2)
        untyped.einsum("ij->ji", values).sub_(3)
        untyped.broadcast_tensors(self.history, values[0])[0].add_(1)
        values.unsafe_chunk(2, dim=1)[1].mul_(2)
        return self.layer(values) + self.history


class Data(Writing):
    """The attribute that torch.jit does not record: read, written in place, and set."""

    def forward(self, values: torch.Tensor) -> Any:
        self.history.data.mul_(0.5).add_(values.data[0])
        self.layer.weight.data = self.layer.weight.data.clamp(-0.1, 0.1)
        values.data.add_(1)
        return self.layer(values) + self.history, values.data * 2


KINDS: dict[str, Callable[[], Writing]] = {
    kind.__name__: kind
    for kind in (
        Writing, Input, ViewOfInput, Counter, SharedBuffers, Weight, RunningStatistics, Captured, Together,
        Pieces, InBranches, Indexed, Dropped, Data,
    )
}  # fmt: skip
"""Those that torch.jit can record."""

UNFOLDED: dict[str, Callable[[], Writing]] = {"Undeclared": Undeclared}
"""Those that have to be taken apart first, which takes longer."""


def made(name: str) -> Writing:
    """Make one of the models; the same each time, and with the captured tensor as it was."""
    captured.zero_()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = (KINDS | UNFOLDED)[name]()
    return model.eval().requires_grad_(requires_grad=False)


def example(seed: int = 0) -> torch.Tensor:
    """Make an input."""
    return torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(seed))


def fresh(name: str, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return what a model computes that was never called before."""
    outputs = made(name)(values.clone())
    result = tuple(one.clone() for one in (outputs if isinstance(outputs, tuple) else (outputs,)))
    captured.zero_()
    return result
