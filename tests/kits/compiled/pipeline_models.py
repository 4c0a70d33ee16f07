"""Models of the shapes that people cut into pipelines, small and with seeded weights, and inputs for them."""

from collections.abc import Callable
from typing import Any

import torch

Outputs = Any
Case = tuple[torch.nn.Module, tuple[torch.Tensor, ...]]


class Residual(torch.nn.Module):
    """A ResNet's basic block: what enters is needed again at its end, behind any cut inside."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = torch.nn.BatchNorm2d(channels)
        self.second = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = torch.nn.BatchNorm2d(channels)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        inner = torch.relu_(self.first_norm(self.first(values)))
        return torch.relu_(self.second_norm(self.second(inner)) + values)


class Recurrent(torch.nn.Module):
    """Embedding, LSTM and a tuple of outputs, two of which are ready long before the end."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(50, 32)
        self.memory = torch.nn.LSTM(32, 64, 2)
        self.head = torch.nn.Linear(64, 5)

    def forward(self, tokens: torch.Tensor) -> Outputs:
        hidden, (state, cell) = self.memory(self.embedding(tokens))
        return self.head(hidden), (state, cell)


class Keyed(torch.nn.Module):
    """A dict of outputs; the input itself is needed last."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = torch.nn.Linear(16, 32)
        self.decode = torch.nn.Linear(32, 16)

    def forward(self, values: torch.Tensor) -> Outputs:
        code = torch.tanh(self.encode(values))
        restored = self.decode(code)
        return {"code": code, "restored": restored, "error": (restored - values).square().mean(-1)}


class Tied(torch.nn.Module):
    """One weight at both ends: each stage that uses it has its own copy."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(50, 32)
        self.middle = torch.nn.Linear(32, 32)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.middle(self.embedding(tokens)))
        return torch.nn.functional.linear(hidden, self.embedding.weight)


class ChangedLater(torch.nn.Module):
    """Writes into a view of a value that several stages hold."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(8, 8)
        self.second = torch.nn.Linear(8, 8)

    def forward(self, values: torch.Tensor) -> Outputs:
        early = self.first(values)
        part = early[:, :4]
        other = self.second(early)
        part.add_(other[:, :4])
        return self.first(early) * other, part


class Branching(torch.nn.Module):
    """Control flow, which stays whole, inside a scripted part that keeps attributes of other kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(8, 8)
        self.second = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.5)).eval()

    def forward(self, values: torch.Tensor) -> Outputs:
        return self.second(_halved(self.first(values), 3)) + values


_script: Callable[[Any], Any] = torch.jit.script


def _halve(values: torch.Tensor, times: int) -> torch.Tensor:
    for _ in range(times):
        if bool(values.sum() > 0):  # noqa: SIM108 - TorchScript
            values = values * 0.5
        else:
            values = values - 1
    return values


def _halved(values: torch.Tensor, times: int) -> Any:
    return _script(_halve)(values, times)


def _perceptron() -> Case:
    layers = [layer for _ in range(6) for layer in (torch.nn.Linear(64, 64), torch.nn.ReLU())]
    return torch.nn.Sequential(*layers), (torch.randn(4, 64),)


def _convolutional() -> Case:
    body = [torch.nn.Conv2d(3, 8, 3), *(Residual(8) for _ in range(4))]
    model = torch.nn.Sequential(*body, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 4))
    with torch.no_grad():  # statistics other than 0 and 1
        model(torch.randn(4, 3, 16, 16))
    return model, (torch.randn(2, 3, 16, 16),)


def _attentive() -> Case:
    layer = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    return torch.nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), (torch.randn(2, 5, 32),)


def _branching() -> Case:
    model = Branching()
    model.second = _script(model.second)
    return model, (torch.randn(2, 8),)


CASES: dict[str, Callable[[], Case]] = {
    "perceptron": _perceptron,
    "convolutional": _convolutional,
    "attentive": _attentive,
    "recurrent": lambda: (Recurrent(), (torch.randint(0, 50, (7, 3)),)),
    "keyed": lambda: (Keyed(), (torch.randn(3, 16),)),
    "tied": lambda: (Tied(), (torch.randint(0, 50, (2, 5)),)),
    "changed later": lambda: (ChangedLater(), (torch.randn(3, 8),)),
    "branching": _branching,
    "too small": lambda: (torch.nn.ReLU(), (torch.randn(3),)),
}


def made(name: str) -> Case:
    """Make one of the models, ready for inference, and its inputs; the same ones each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, inputs = CASES[name]()
    return model.eval(), inputs


def leaves(value: Any) -> list[torch.Tensor]:
    """The tensors of a result, in order; a dict's by key."""
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in leaves(value[key])]
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item)]
    assert isinstance(value, torch.Tensor)
    return [value]


def same_bits(left: Any, right: Any) -> bool:
    """Whether two results are equal to the bit."""
    first, second = leaves(left), leaves(right)
    return len(first) == len(second) and all(map(torch.equal, first, second))
