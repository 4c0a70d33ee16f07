"""Models of the shapes that people deploy, small, with seeded weights: convolutions, attention, skips, nesting."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import torch


@dataclasses.dataclass(frozen=True)
class Deployed:
    """One model and what it is called with."""

    module: torch.nn.Module
    inputs: tuple[torch.Tensor, ...]


class Bottleneck(torch.nn.Module):
    """The block of ResNet-50: 1x1, 3x3 and 1x1 convolutions beside a shortcut."""

    def __init__(self, width: int, out: int, stride: int, given: int) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(given, width, 1, bias=False), torch.nn.BatchNorm2d(width), torch.nn.ReLU(inplace=True),
            torch.nn.Conv2d(width, width, 3, stride, 1, bias=False), torch.nn.BatchNorm2d(width),
            torch.nn.ReLU(inplace=True),
            torch.nn.Conv2d(width, out, 1, bias=False), torch.nn.BatchNorm2d(out),
        )  # fmt: skip
        self.shortcut = torch.nn.Sequential()
        if stride != 1 or given != out:
            self.shortcut = torch.nn.Sequential(
                torch.nn.Conv2d(given, out, 1, stride, bias=False), torch.nn.BatchNorm2d(out)
            )
        self.relu = torch.nn.ReLU(inplace=True)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        kept = self.shortcut(values)
        result: torch.Tensor = self.body(values)
        result += kept
        return torch.relu_(result)


class ResNet(torch.nn.Module):
    """ResNet-50's stages of 3, 4, 6 and 3 blocks, an eighth as wide."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 7, 2, 3, bias=False), torch.nn.BatchNorm2d(8), torch.nn.ReLU(inplace=True),
            torch.nn.MaxPool2d(3, 2, 1),
        )  # fmt: skip
        blocks: list[torch.nn.Module] = []
        given = 8
        for stage, count in enumerate((3, 4, 6, 3)):
            width = 8 << stage
            for block in range(count):
                blocks.append(Bottleneck(width, 4 * width, 2 if block == 0 and stage else 1, given))
                given = 4 * width
        self.blocks = torch.nn.Sequential(*blocks)
        self.head = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(given, 10))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.blocks(self.stem(image)))
        return scores


class VisionTransformer(torch.nn.Module):
    """Patches, a class token, encoder layers."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.patches = torch.nn.Conv2d(3, width, 8, 8)
        self.token = torch.nn.Parameter(torch.zeros(1, 1, width))
        self.positions = torch.nn.Parameter(torch.zeros(1, 17, width))
        layer = torch.nn.TransformerEncoderLayer(width, 4, 64, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = torch.nn.Linear(width, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        patches = self.patches(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(patches.size(0), -1, -1), patches], 1) + self.positions
        scores: torch.Tensor = self.head(self.encoder(tokens)[:, 0])
        return scores


class UNet(torch.nn.Module):
    """Two steps down, two up, joined by skips; the way up is once learned and once interpolated."""

    def __init__(self) -> None:
        super().__init__()
        self.down = torch.nn.ModuleList([self._pair(3, 8), self._pair(8, 16), self._pair(16, 32)])
        self.learned = torch.nn.ConvTranspose2d(32, 16, 2, 2)
        self.interpolated = torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.up = torch.nn.ModuleList([self._pair(32, 16), self._pair(24, 8)])
        self.mask = torch.nn.Conv2d(8, 1, 1)

    @staticmethod
    def _pair(given: int, made: int) -> torch.nn.Sequential:
        return torch.nn.Sequential(
            torch.nn.Conv2d(given, made, 3, padding=1), torch.nn.GroupNorm(4, made), torch.nn.SiLU()
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        first = self.down[0](image)
        second = self.down[1](torch.nn.functional.max_pool2d(first, 2))
        bottom = self.down[2](torch.nn.functional.max_pool2d(second, 2))
        middle = self.up[0](torch.cat([self.learned(bottom), second], 1))
        top = self.up[1](torch.cat([self.interpolated(middle), first], 1))
        return torch.sigmoid(self.mask(top))


class Nested(torch.nn.Module):
    """Returns a tuple of a tensor, a dict and a list."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(6, 5, num_layers=2, batch_first=True)
        self.embedding = torch.nn.Embedding(10, 6)

    def forward(
        self, words: torch.Tensor, scale: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor], list[torch.Tensor]]:
        output, (hidden, cell) = self.lstm(self.embedding(words) * scale)
        return output, {"hidden": hidden, "cell": cell}, [output.argmax(-1), words]


def bert() -> Deployed:
    """BERT of the transformers library with random weights."""
    import transformers  # noqa: PLC0415 - a dependency of two models, and seconds to import

    sizes = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.BertConfig(**sizes, intermediate_size=64, max_position_embeddings=32, return_dict=False)
    words = torch.arange(16).reshape(2, 8) % 50
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
    return Deployed(transformers.BertModel(config), (words, mask))


def gpt2() -> Deployed:
    """GPT-2 of the transformers library with random weights; it returns a dict."""
    import transformers  # noqa: PLC0415 - as above

    config = transformers.GPT2Config(
        vocab_size=50, n_positions=32, n_embd=32, n_layer=2, n_head=4, use_cache=False, bos_token_id=0, eos_token_id=0
    )
    return Deployed(transformers.GPT2LMHeadModel(config), (torch.arange(12).reshape(1, 12) % 50,))


MODELS: dict[str, Callable[[], Deployed]] = {
    "ResNet-50": lambda: Deployed(ResNet(), (torch.rand(2, 3, 64, 64),)),
    "ViT": lambda: Deployed(VisionTransformer(), (torch.rand(2, 3, 32, 32),)),
    "U-Net": lambda: Deployed(UNet(), (torch.rand(1, 3, 32, 32),)),
    "nested outputs": lambda: Deployed(Nested(), (torch.arange(8).reshape(2, 4), torch.rand(1))),
    "BERT": bert,
    "GPT-2": gpt2,
}
FROM_TRANSFORMERS = frozenset({"BERT", "GPT-2"})


def made(name: str) -> Deployed:
    """Make a model; the same name gives the same weights and inputs."""
    torch.manual_seed(sum(map(ord, name)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library
        deployed = MODELS[name]()
    with torch.no_grad():
        for tensor in deployed.module.buffers():
            if tensor.is_floating_point():
                tensor.add_(torch.rand(tensor.shape) / 4)  # statistics that a trained model would have
    return Deployed(deployed.module.eval(), deployed.inputs)


def leaves_of(value: Any) -> list[torch.Tensor]:
    """Return the tensors of a nested value in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [leaf for part in parts for leaf in leaves_of(part)]
