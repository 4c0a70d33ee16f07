"""Gradients and training on `neuron`: the numbers are the CPU's, on every core."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from kits.device import neuron_processes

FIRST = "neuron:0"
SECOND = "neuron:1"

untyped: Any = torch
"""torch, where it has no types of its own."""


def losses(device: str, foreach: bool | None = None) -> list[float]:
    """Train a small convolutional network for four steps."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 5)
    )
    images, labels = torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, foreach=foreach)
    seen = []
    for _ in range(4):
        optimizer.zero_grad()
        loss: Any = functional.cross_entropy(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    return seen


def convolutional_network_learns_alike() -> None:
    expected = losses("cpu")
    assert losses(FIRST) == pytest.approx(expected, abs=1e-4)
    assert losses(SECOND, foreach=True) == pytest.approx(expected, abs=1e-4)


def transformer_layer_has_the_same_gradients() -> None:
    torch.manual_seed(0)
    host = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0.0)
    there = copy.deepcopy(host).to(FIRST)
    inputs = torch.randn(2, 5, 32)
    expected, result = host(inputs), there(inputs.to(FIRST))
    torch.testing.assert_close(result.cpu(), expected)
    expected.sum().backward()
    result.sum().backward()
    for parameter, twin in zip(there.parameters(), host.parameters(), strict=True):
        assert parameter.grad is not None
        assert parameter.grad.device == torch.device(FIRST)
        torch.testing.assert_close(parameter.grad.cpu(), twin.grad, atol=1e-4, rtol=1e-4)
    host.eval()
    there.eval()
    with torch.no_grad():
        torch.testing.assert_close(there(inputs.to(FIRST)).cpu(), host(inputs))


def recurrent_layers_have_the_same_gradients() -> None:
    for kind in (nn.LSTM, nn.GRU, nn.RNN):
        for bias in (True, False):
            torch.manual_seed(0)
            host: Any = kind(4, 6, num_layers=2, bias=bias, bidirectional=True)
            there = copy.deepcopy(host).to(SECOND)
            inputs = torch.randn(3, 2, 4)
            arrived = inputs.to(SECOND).requires_grad_()
            expected, result = host(inputs.requires_grad_()), there(arrived)
            torch.testing.assert_close(result[0].cpu(), expected[0])
            expected[0].square().sum().backward()
            result[0].square().sum().backward()
            assert arrived.grad is not None
            torch.testing.assert_close(arrived.grad.cpu(), inputs.grad)
            for parameter, twin in zip(there.parameters(), host.parameters(), strict=True):
                torch.testing.assert_close(parameter.grad.cpu(), twin.grad)


def convolutions_of_every_kind_have_the_same_gradients() -> None:
    for kind, shape in ((nn.Conv1d, (2, 4, 9)), (nn.Conv3d, (1, 4, 4, 4, 4)), (nn.ConvTranspose2d, (2, 4, 5, 5))):
        torch.manual_seed(0)
        host: Any = kind(4, 6, 3, stride=2, padding=1, groups=2)
        there = copy.deepcopy(host).to(FIRST)
        inputs = torch.randn(shape)
        expected, result = host(inputs), there(inputs.to(FIRST))
        torch.testing.assert_close(result.cpu(), expected)
        expected.sum().backward()
        result.sum().backward()
        torch.testing.assert_close(there.weight.grad.cpu(), host.weight.grad)
        torch.testing.assert_close(there.bias.grad.cpu(), host.bias.grad)


def packed_sequences_and_cells_have_the_same_gradients() -> None:
    torch.manual_seed(0)
    sequences = [torch.randn(length, 3) for length in (4, 2, 1)]
    for host in (nn.LSTM(3, 5, proj_size=2), nn.GRU(3, 5, batch_first=True)):
        there = copy.deepcopy(host).to(FIRST)
        sums: list[Any] = []
        for module, device in ((host, "cpu"), (there, FIRST)):
            packed = nn.utils.rnn.pack_sequence([sequence.to(device) for sequence in sequences])
            padded, lengths = nn.utils.rnn.pad_packed_sequence(module(packed)[0])
            assert (padded.device.type, lengths.tolist()) == (torch.device(device).type, [4, 2, 1])
            sums.append(padded.square().sum())
            sums[-1].backward()
        torch.testing.assert_close(sums[1].cpu(), sums[0])
        for parameter, twin in zip(there.parameters(), host.parameters(), strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(parameter.grad.cpu(), twin.grad)
    cell = nn.LSTMCell(3, 4).to(SECOND)
    hidden, state = cell(torch.ones(2, 3, device=SECOND))
    expected = copy.deepcopy(cell).cpu()(torch.ones(2, 3))
    torch.testing.assert_close(hidden.cpu(), expected[0])
    torch.testing.assert_close(state.cpu(), expected[1])


def every_optimizer_steps_alike() -> None:
    kinds = ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD"]
    for name in kinds:
        weights = []
        for device in ("cpu", SECOND):
            weight = torch.linspace(-1, 1, 6, device=device, requires_grad=True)
            optimizer = getattr(torch.optim, name)([weight], lr=0.1)
            for _ in range(3):
                optimizer.zero_grad()
                untyped.autograd.backward((weight**3).sum())
                optimizer.step()
            weights.append(weight.detach().cpu())
        torch.testing.assert_close(weights[1], weights[0], msg=name)


def losses_are_scaled_for_half_precision() -> None:
    layer = nn.Linear(4, 1).to(FIRST)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    scaler: Any = untyped.amp.GradScaler("neuron", init_scale=4.0)
    before = layer.weight.tolist()
    with torch.autocast("neuron", dtype=torch.float16):
        loss = layer(torch.ones(2, 4, device=FIRST)).sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert layer.weight.tolist() != before
    untyped.autograd.backward(scaler.scale((layer.weight * float("inf")).sum()))
    before = layer.weight.tolist()
    scaler.step(optimizer)
    scaler.update()
    assert (layer.weight.tolist(), scaler.get_scale()) == (before, 2.0)


def cpu_gradients_work_before_the_first_use_and_claim_nothing() -> None:
    weight = torch.ones(2, requires_grad=True)
    untyped.autograd.backward((weight * 2).sum())
    assert not torch.ops.neuron.is_initialized()
    there = torch.ones(2, device="neuron:7", requires_grad=True)
    untyped.autograd.backward((there * 3).sum())
    assert there.grad is not None
    assert there.grad.tolist() == [3, 3]


def functional_transforms_and_checkpoints() -> None:
    values = torch.randn(3, 4, device=FIRST)
    gradient = untyped.func.vmap(untyped.func.grad(lambda v: (v**2).sum()))(values)
    torch.testing.assert_close(gradient.cpu(), 2 * values.cpu())
    weight = torch.ones(4, device=FIRST, requires_grad=True)
    untyped.utils.checkpoint.checkpoint(
        lambda v: functional.dropout(v * 2), weight, use_reentrant=False
    ).sum().backward()
    assert weight.grad is not None
    torch.manual_seed(5)
    dropped = functional.dropout(torch.ones(50, device=FIRST)).cpu()
    torch.manual_seed(5)
    assert torch.equal(dropped, functional.dropout(torch.ones(50)))


def inference_mode_and_autocast() -> None:
    with torch.inference_mode():
        embedding = nn.Embedding(10, 4).to(FIRST)
        assert embedding(torch.tensor([1, 2], device=FIRST)).shape == (2, 4)
    layer = nn.Linear(4, 4).to(FIRST)
    with torch.autocast("neuron", dtype=torch.bfloat16):
        product = layer(torch.ones(1, 4, device=FIRST))
        assert product.dtype == torch.bfloat16
        assert product.softmax(-1).dtype == torch.float32
    product.float().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize(
    "scenario",
    [
        convolutional_network_learns_alike,
        transformer_layer_has_the_same_gradients,
        recurrent_layers_have_the_same_gradients,
        convolutions_of_every_kind_have_the_same_gradients,
        packed_sequences_and_cells_have_the_same_gradients,
        every_optimizer_steps_alike,
        losses_are_scaled_for_half_precision,
        cpu_gradients_work_before_the_first_use_and_claim_nothing,
        functional_transforms_and_checkpoints,
        inference_mode_and_autocast,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_device_trains_as_the_cpu_does(
    scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    processes.run(machine, scenario)
