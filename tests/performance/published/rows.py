"""Rows of AWS's benchmark pages, and the model behind each.

Source: aws-neuron-sdk, `general/benchmarks/{inf2,trn1}/*.csv` and `inf1/throughput_data_encoder.csv` beside them, the
tables of "Inf2 / Trn1 / Inf1 Inference Performance". All are FP32 models, those on inf2 and trn1 compiled with
`--auto-cast matmult --auto-cast-type bf16`, those on inf1 with the defaults; sequences have 128 tokens, images 224x224.

A row of which each core serves one request after the other has its latency as it stands; where each core has two
workers the latency holds a wait too, and the batch over the throughput of a core is what an execution takes.
"""

import dataclasses
from collections.abc import Callable, Mapping

import torch
from torch import nn

from performance.published import architectures

Inputs = Callable[[int], torch.Tensor]


@dataclasses.dataclass(frozen=True)
class Row:
    """One published number: what a call with a batch takes."""

    model: str
    """A key of MODELS."""
    instance: str
    batch: int
    milliseconds: float
    overlapped: bool = False
    """Whether each core had two workers: one copies while the other one's execution has the core."""
    fitted: bool = False
    """Whether a constant of `cores.rates` was fitted to it: it says nothing about the others' error."""


@dataclasses.dataclass(frozen=True)
class Model:
    """How a published model is made, and what it takes."""

    make: Callable[[], nn.Module]
    inputs: Inputs


def tokens(rows: int) -> torch.Tensor:
    """Token numbers of 128 words for each row."""
    return torch.zeros(rows, 128, dtype=torch.long)


def images(rows: int) -> torch.Tensor:
    """Images of 224x224 in three colours."""
    return torch.zeros(rows, 3, 224, 224)


_ROBERTA_WORDS = 50265


def _large(words: int = architectures.BERT_VOCABULARY) -> nn.Module:
    return architectures.Encoder(layers=24, width=1024, heads=16, words=words)


MODELS: Mapping[str, Model] = {
    "BERT base": Model(architectures.Encoder, tokens),
    "BERT large": Model(_large, tokens),
    "DistilBERT base": Model(lambda: architectures.Encoder(layers=6), tokens),
    "RoBERTa base": Model(lambda: architectures.Encoder(words=_ROBERTA_WORDS), tokens),
    "RoBERTa large": Model(lambda: _large(_ROBERTA_WORDS), tokens),
    "ALBERT base": Model(lambda: architectures.Encoder(shared=True), tokens),
    "ViT base": Model(architectures.VisionTransformer, images),
    "ResNet-18": Model(lambda: architectures.resnet((2, 2, 2, 2), bottleneck=False), images),
    "ResNet-34": Model(lambda: architectures.resnet((3, 4, 6, 3), bottleneck=False), images),
    "ResNet-50": Model(lambda: architectures.resnet((3, 4, 6, 3), bottleneck=True), images),
    "ResNet-101": Model(lambda: architectures.resnet((3, 4, 23, 3), bottleneck=True), images),
    "ResNet-152": Model(lambda: architectures.resnet((3, 8, 36, 3), bottleneck=True), images),
    "VGG-11": Model(lambda: architectures.vgg(1, 1, 2, 2, 2), images),
    "VGG-16": Model(lambda: architectures.vgg(2, 2, 3, 3, 3), images),
}

ROWS: tuple[Row, ...] = (
    Row("BERT base", "inf2.xlarge", 16, 10.87, fitted=True),
    Row("DistilBERT base", "inf2.xlarge", 1, 0.579, fitted=True),
    Row("ResNet-18", "inf2.xlarge", 1, 0.72, fitted=True),
    Row("BERT base", "inf2.xlarge", 1, 0.999),
    Row("BERT large", "inf2.xlarge", 1, 2.694),
    Row("RoBERTa base", "inf2.xlarge", 1, 0.999),
    Row("RoBERTa large", "inf2.xlarge", 1, 2.693),
    Row("ALBERT base", "inf2.xlarge", 1, 0.937),
    Row("ViT base", "inf2.xlarge", 1, 1.469),
    Row("ResNet-34", "inf2.xlarge", 1, 0.84),
    Row("ResNet-50", "inf2.xlarge", 1, 0.96),
    Row("ResNet-101", "inf2.xlarge", 1, 1.14),
    Row("ResNet-152", "inf2.xlarge", 1, 1.32),
    Row("VGG-11", "inf2.xlarge", 1, 1.79),
    Row("VGG-16", "inf2.xlarge", 1, 2.20),
    Row("BERT large", "inf2.xlarge", 8, 17.43),
    Row("DistilBERT base", "inf2.xlarge", 16, 5.975),
    Row("RoBERTa large", "inf2.xlarge", 8, 15.94),
    Row("BERT base", "trn1.2xlarge", 1, 1.038),
    Row("BERT large", "trn1.2xlarge", 1, 2.698),
    Row("DistilBERT base", "trn1.2xlarge", 1, 0.627),
    # four cores with two workers each: 8 * 4 / 1119 per second, 6 * 4 / 1180.2, 8 * 4 / 1880
    Row("BERT base", "inf1.xlarge", 8, 28.6, overlapped=True),
    Row("BERT base", "inf1.xlarge", 6, 20.3, overlapped=True),
    Row("DistilBERT base", "inf1.xlarge", 8, 17.0, overlapped=True),
)
