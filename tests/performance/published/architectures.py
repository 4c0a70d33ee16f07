"""The published models, as short as their cost allows: every matrix, convolution and table has its published size."""

import torch
from torch import nn

BERT_VOCABULARY = 30522


class Encoder(nn.Module):
    """BERT's layers (Devlin et al. 2018) over a table of words: [n, s] token numbers -> [n, s, width].

    DistilBERT has half of them, RoBERTa and ELECTRA base are the same with other weights, ALBERT uses one layer again.
    """

    def __init__(
        self, *, layers: int = 12, width: int = 768, heads: int = 12, words: int = BERT_VOCABULARY, shared: bool = False
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.norm = nn.LayerNorm(width)
        own = [EncoderLayer(width, heads) for _ in range(1 if shared else layers)]
        self.layers = nn.ModuleList(own)
        self.times = layers if shared else 1

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self.norm(self.words(tokens))
        for _ in range(self.times):
            for layer in self.layers:
                values = layer(values)
        return values


class EncoderLayer(nn.Module):
    """Attention and two products around a GELU, each with a residual: [n, s, width] -> the same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projected = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.after_attention, self.after_all = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        rows, tokens, width = values.shape
        split = self.projected(values).reshape(rows, tokens, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(query, key, value)
        values = self.after_attention(values + self.out(attended.transpose(1, 2).reshape(rows, tokens, width)))
        return self.after_all(values + self.down(nn.functional.gelu(self.up(values))))  # type: ignore[no-any-return]


class VisionTransformer(nn.Module):
    """ViT (Dosovitskiy et al. 2020): [n, 3, 224, 224] -> [n, 1000]."""

    def __init__(self, *, patch: int = 16, layers: int = 12, width: int = 768, heads: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.layers = nn.Sequential(*(EncoderLayer(width, heads) for _ in range(layers)))
        self.head = nn.Linear(width, 1000)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values = self.patches(images).flatten(2).transpose(1, 2)
        values = torch.cat([self.first.expand(len(images), -1, -1), values], dim=1)
        return self.head(self.layers(values)[:, 0])  # type: ignore[no-any-return]


class Residual(nn.Module):
    """A block of ResNet (He et al. 2015): two 3x3 convolutions, or a 3x3 one between two of 1x1."""

    def __init__(self, given: int, width: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        made = 4 * width if bottleneck else width
        parts = (
            [_convolution(given, width, 1), _convolution(width, width, 3, stride), _convolution(width, made, 1)]
            if bottleneck
            else [_convolution(given, width, 3, stride), _convolution(width, width, 3)]
        )
        self.parts = nn.Sequential(*parts)
        straight = stride == 1 and given == made
        self.shortcut = nn.Identity() if straight else _convolution(given, made, 1, stride)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.parts(values) + self.shortcut(values))


def resnet(blocks: tuple[int, int, int, int], *, bottleneck: bool) -> nn.Module:
    """ResNet with so many blocks of each width: [n, 3, 224, 224] -> [n, 1000]."""
    parts: list[nn.Module] = [_convolution(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    given = 64
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for block in range(count):
            parts.append(Residual(given, width, 2 if stage and not block else 1, bottleneck=bottleneck))
            given = 4 * width if bottleneck else width
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(given, 1000))


def vgg(*groups: int) -> nn.Module:
    """VGG (Simonyan and Zisserman 2014) with so many convolutions before a pooling: [n, 3, 224, 224] -> [n, 1000]."""
    parts: list[nn.Module] = []
    given = 3
    for group, count in enumerate(groups):
        width = min(64 << group, 512)
        for _ in range(count):
            parts += [nn.Conv2d(given, width, 3, padding=1), nn.ReLU()]
            given = width
        parts.append(nn.MaxPool2d(2))
    parts += [nn.Flatten(), nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(4096, 1000))


def _convolution(given: int, made: int, size: int, stride: int = 1) -> nn.Module:
    """A convolution and its normalisation."""
    return nn.Sequential(nn.Conv2d(given, made, size, stride, size // 2, bias=False), nn.BatchNorm2d(made), nn.ReLU())
