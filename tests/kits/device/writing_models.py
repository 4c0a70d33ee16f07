"""Models that write in place into what is not theirs: inputs, buffers, weights, variables, and views of these."""

import warnings
from collections.abc import Callable
from typing import Any

import torch

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
        return self.norm(self.layer(values)), self.norm.running_mean.expand(ROWS, WIDTH)


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
        self.history.split(3)[1].add_(1)
        return self.layer(values) + self.history


class InBranches(Writing):
    def forward(self, values: torch.Tensor) -> Any:
        return self.layer(stepped(values, 3)) + self.layer(stepped(self.history.reshape(1, WIDTH), 2))


class Indexed(Writing):
    def forward(self, values: torch.Tensor) -> Any:
        values[:, 0] = 1.0
        self.history[3] = values[0, 1]
        return self.layer(values) + self.history


KINDS: dict[str, Callable[[], Writing]] = {
    kind.__name__: kind
    for kind in (
        Writing, Input, ViewOfInput, Counter, SharedBuffers, Weight, RunningStatistics, Captured, Together,
        Pieces, InBranches, Indexed,
    )
}  # fmt: skip


def made(name: str) -> Writing:
    """Make one of the models; the same each time, and with the captured tensor as it was."""
    captured.zero_()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = KINDS[name]()
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
