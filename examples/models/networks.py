"""The two models of the examples: plain torch modules, weights made at run time, nothing that knows of Neuron."""

from __future__ import annotations

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and a shortcut: [n, c_in, h, w] -> [n, c_out, h/stride, w/stride]."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the block's activation."""
        return torch.relu(self.body(images) + self.shortcut(images))


class SmallResNet(nn.Module):
    """A ResNet in miniature: [n, 3, 32, 32] -> embedding [n, 64]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.blocks = nn.Sequential(ResidualBlock(16, 16), ResidualBlock(16, 32, 2), ResidualBlock(32, 64, 2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one embedding per image."""
        return self.blocks(self.stem(images)).mean(dim=(2, 3))


class Encoder(nn.Module):
    """Two transformer encoder layers over token ids: [n, 16] int64 -> [n, 16, 64]."""

    def __init__(self, vocabulary: int = 128, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        layer = nn.TransformerEncoderLayer(width, nhead=4, dim_feedforward=128, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return one vector per token."""
        return self.layers(self.embedding(tokens))


class Head(nn.Module):
    """Ten scores from an embedding: [n, 64] -> [n, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return probabilities."""
        return torch.softmax(self.linear(embedding), dim=-1)


def build(name: str) -> tuple[nn.Module, torch.Tensor]:
    """Return a seeded model in eval mode and one example input for it; `name` is `resnet` or `encoder`."""
    torch.manual_seed(0)
    if name == "resnet":
        return SmallResNet().eval(), torch.rand(2, 3, 32, 32)
    if name == "encoder":
        return Encoder().eval(), torch.randint(0, 128, (2, 16))
    raise SystemExit(f"unknown model {name!r}: use resnet or encoder")
