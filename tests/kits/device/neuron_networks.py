"""Networks of the shapes people deploy, small and with seeded weights, and what a compiled one must compute.

A compiled model computes what torch.jit.trace of it computes for inputs of the traced shape, to the bit.
"""

from typing import Any

import torch

jit_trace: Any = torch.jit.trace
untyped: Any = torch
"""torch, where it has no types of its own."""


class Convolutions(torch.nn.Module):
    """[n, 3, 8, 8] -> [n, 5]: a residual block with batch norms, as in ResNet."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        norms = [torch.nn.BatchNorm2d(8) for _ in range(2)]
        self.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1, bias=False), norms[0])
        self.block = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3, padding=1), norms[1])
        self.head = torch.nn.Linear(8, 5)
        for norm in norms:
            norm.running_mean = torch.empty(8).uniform_(-1, 1)
            norm.running_var = torch.empty(8).uniform_(0.5, 2)
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values = self.stem(images)
        return self.head(torch.relu(values + self.block(values)).mean((2, 3)))  # type: ignore[no-any-return]


class Encoder(torch.nn.Module):
    """Token numbers and a mask [n, s] -> a dict, as BERT gives it."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.words = torch.nn.Embedding(50, 16)
        self.project = torch.nn.Linear(16, 48)
        self.norm = torch.nn.LayerNorm(16)
        self.eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        embedded = self.words(input_ids)
        split = self.project(embedded).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        mask = attention_mask[:, None, None, :] > 0
        seen = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        hidden = self.norm(embedded + seen.transpose(1, 2).flatten(2))
        return {"last_hidden_state": hidden, "pooler_output": torch.tanh(hidden[:, 0])}


class Generator(torch.nn.Module):
    """One token at a time, with the keys of the tokens before it in a buffer, as a language model keeps them."""

    LENGTH = 4
    position: torch.Tensor

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.words = torch.nn.Embedding(50, 8)
        self.head = torch.nn.Linear(8, 50)
        self.keys = torch.nn.Parameter(torch.zeros(1, self.LENGTH, 8), requires_grad=False)
        self.register_buffer("position", torch.zeros(1, dtype=torch.int64))
        self.eval()

    def forward(self, token: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        place = torch.eq(torch.arange(self.LENGTH), self.position)
        keys = torch.where(place[None, :, None], self.words(token)[:, None, :], self.keys)
        return self.head(keys.mean(1)), keys, self.position + 1


def images(count: int = 2) -> torch.Tensor:
    """Inputs of Convolutions."""
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(7))


def sentences(count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs of Encoder."""
    generator = torch.Generator().manual_seed(8)
    mask = torch.ones(count, 6, dtype=torch.int64)
    mask[1::2, 4:] = 0
    return torch.randint(50, (count, 6), generator=generator), mask


def expected(module: torch.nn.Module, *inputs: torch.Tensor) -> Any:
    """What a model that was compiled for these inputs computes for them, on the CPU."""
    with torch.no_grad():
        return jit_trace(module, inputs, strict=False, check_trace=False)(*inputs)


def in_pieces(module: torch.nn.Module, size: int, *inputs: torch.Tensor) -> Any:
    """What it computes in calls of `size` rows, the last one filled up with zeros, one below the other."""
    rows = len(inputs[0])
    filling = -rows % size
    full = [torch.cat([one, one.new_zeros(filling, *one.shape[1:])]) for one in inputs]
    parts = [expected(module, *piece) for piece in zip(*(torch.split(one, size) for one in full), strict=True)]
    if isinstance(parts[0], dict):
        return {key: torch.cat([part[key] for part in parts])[:rows] for key in parts[0]}
    return torch.cat(parts)[:rows]


def same(first: Any, second: Any) -> bool:
    """Whether two results are tensors, or containers of tensors, that are equal to the bit; devices do not matter."""
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first.cpu(), second.cpu())
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    return len(first) == len(second) and all(map(same, first, second))
