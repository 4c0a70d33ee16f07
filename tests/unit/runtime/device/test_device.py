"""Tensors on `neuron`: every scenario does on the device what it also does on the CPU, and compares."""

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from kits.device import neuron_processes

FIRST = "neuron:0"
SECOND = "neuron:1"

untyped: Any = torch
"""torch, where it has no types of its own."""


def names_are_interchangeable() -> None:
    assert torch.device("neuron", 0) == torch.device("privateuseone:0")
    assert repr(torch.device(FIRST)) == "device(type='neuron', index=0)"
    assert torch.empty(2, device="neuron").device.index == 0
    assert torch.empty(2, device=SECOND).device.index == 1
    with torch.device(SECOND):
        assert torch.ones(2).device == torch.device(SECOND)


def factories_give_the_same_values() -> None:
    factories: list[Callable[..., torch.Tensor]] = [
        lambda **at: torch.zeros(2, 3, **at),
        lambda **at: torch.full((2,), 7.0, **at),
        lambda **at: torch.arange(5, **at),
        lambda **at: torch.eye(3, **at),
        lambda **at: torch.linspace(0, 1, 5, **at),
        lambda **at: torch.logspace(0, 1, 5, **at),
        lambda **at: torch.tensor([1, 2, 3], **at),
        lambda **at: torch.tril_indices(3, 3, **at),
        lambda **at: torch.empty_strided((2, 2), (1, 2), **at).fill_(1),
    ]
    for factory in factories:
        made = factory(device=FIRST)
        assert made.device == torch.device(FIRST)
        assert torch.equal(made.cpu(), factory())
    like = torch.ones(2, device=SECOND)
    for similar in (torch.zeros_like, torch.ones_like, torch.empty_like, torch.randn_like):
        assert similar(like).device == like.device
    assert like.new_zeros(3).device == like.device
    assert torch.randperm(5, device=FIRST).device.type == "neuron"


def random_numbers_are_the_cpus() -> None:
    for factory in (torch.randn, torch.rand):
        torch.manual_seed(0)
        made = factory(4, 4, device=FIRST)
        torch.manual_seed(0)
        assert torch.equal(made.cpu(), factory(4, 4))
    generator = torch.Generator("neuron").manual_seed(3)
    drawn = torch.randn(5, generator=generator, device=FIRST)
    assert torch.equal(drawn.cpu(), torch.randn(5, generator=torch.Generator().manual_seed(3)))
    state = generator.get_state()
    first = torch.randn(5, generator=generator, device=FIRST)
    generator.set_state(state)
    assert torch.equal(first.cpu(), torch.randn(5, generator=generator, device=FIRST).cpu())
    assert generator.device.type == "neuron"


def moves_keep_values_and_strides() -> None:
    host = torch.randn(3, 4)
    moved = host.to(FIRST)
    assert torch.equal(moved.cpu(), host)
    assert moved.is_neuron  # type: ignore[attr-defined]
    assert torch.equal(host.neuron().cpu(), host)  # type: ignore[attr-defined]
    assert moved.to(FIRST, torch.float64).dtype == torch.float64
    assert moved.to(SECOND).device.index == 1
    assert torch.equal(moved.to(SECOND).cpu(), host)
    assert host.t().to(FIRST).stride() == host.t().stride()
    assert torch.equal(torch.empty(3, 4).copy_(moved), host)
    assert moved.clone().device == moved.device
    half = torch.empty(4, 3, dtype=torch.float16, device=FIRST).copy_(moved.t())
    assert torch.equal(half.cpu(), host.t().half())


def views_share_memory() -> None:
    host = torch.arange(24.0).reshape(2, 3, 4)
    whole = host.to(FIRST)
    viewers: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda v: v.transpose(0, 1),
        lambda v: v[0],
        lambda v: v[:, 1:],
        lambda v: v.view(6, 4),
        lambda v: torch.split(v, 1)[1],
        lambda v: v.unfold(2, 2, 1),
        lambda v: v.expand(5, 2, 3, 4),
        lambda v: v.diagonal(dim1=1, dim2=2),
        lambda v: v.permute(2, 0, 1),
        lambda v: v.reshape(-1),
        lambda v: v.unbind(0)[1],
        lambda v: v.view(torch.int32),
        lambda v: v[..., None].squeeze(-1),
        lambda v: v.as_strided((2, 2), (4, 1), 1),
    ]
    for viewer in viewers:
        view = viewer(whole)
        assert view.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
        assert torch.equal(view.cpu(), viewer(host))
    whole.view(-1)[3] = 9.0
    assert whole[0, 0, 3].item() == 9


def indexing_and_scattering() -> None:
    host = torch.arange(24.0).reshape(2, 3, 4)
    there = host.to(FIRST)
    for tensor in (host, there):
        tensor[0, 0] = 5
        tensor[:, :, tensor[0, 0] > 3] += 1
    assert torch.equal(there.cpu(), host)
    assert torch.equal(there[torch.tensor([1, 0])].cpu(), host[[1, 0]])
    assert torch.equal(there[torch.tensor([1, 0], device=FIRST)].cpu(), host[[1, 0]])
    there.index_put_((torch.tensor([0]),), torch.tensor(3.0))
    assert there[0].eq(3).all()
    index = torch.tensor([[0, 1, 0, 1]])
    assert torch.equal(
        torch.zeros(2, 4).scatter_(0, index, host[0, :1]),
        torch.zeros(2, 4, device=FIRST).scatter_(0, index.to(FIRST), host[0, :1].to(FIRST)).cpu(),
    )


def in_place_operators_keep_the_tensor() -> None:
    tensor = torch.ones(2, 3, device=FIRST)
    address = tensor.data_ptr()
    tensor.add_(1).mul_(2)
    tensor += 1
    assert tensor.data_ptr() == address
    assert tensor.cpu().eq(5).all()
    assert tensor.t_().shape == (3, 2)
    assert tensor.unsqueeze_(0).shape == (1, 3, 2)
    assert tensor.resize_(10, 10).shape == (10, 10)
    assert tensor.view(-1)[0].item() == 5
    tensor.zero_()
    assert tensor.fill_(2).clamp_(0, 1).sum().item() == 100
    torch._foreach_add_([tensor, tensor], 1.0)
    assert tensor.max().item() == 3
    overlapping = torch.arange(6.0, device=FIRST)
    overlapping[1:].copy_(overlapping[:-1].clone())
    assert overlapping.tolist() == [0, 0, 1, 2, 3, 4]


def out_arguments_are_filled_and_resized() -> None:
    left, right = torch.randn(3, 4, device=FIRST), torch.randn(4, 5, device=FIRST)
    out = torch.empty(3, 5, device=FIRST)
    assert torch.mm(left, right, out=out) is out
    assert torch.equal(out.cpu(), left.cpu() @ right.cpu())
    empty = torch.empty(0, device=FIRST)
    torch.mm(left, right, out=empty)
    assert torch.equal(empty.cpu(), out.cpu())
    values, indices = torch.empty(0, device=FIRST), torch.empty(0, dtype=torch.long, device=FIRST)
    torch.sort(left, out=(values, indices))
    assert torch.equal(values.cpu(), left.cpu().sort()[0])


def arguments_of_one_storage_grow_together() -> None:
    for device in ("cpu", FIRST):
        values, whole = torch.tensor([[5.0, 2, 7], [1, 8, 3]], device=device), torch.empty(3, device=device)
        low, high = whole[:0], whole[3:]
        torch.aminmax(values, dim=0, out=(low, high))
        assert (low.tolist(), high.tolist(), whole.tolist()) == ([1, 2, 3], [5, 8, 7], [1, 2, 3])
        assert high.untyped_storage().nbytes() == low.untyped_storage().nbytes() == 6 * 4


def tensors_can_be_set_to_parts_of_a_storage() -> None:
    for device in ("cpu", FIRST):
        whole = torch.arange(10.0, device=device)
        part = torch.empty(0, device=device).set_(whole.untyped_storage(), 3, (2, 2), (3, 1))
        assert (part.storage_offset(), part.tolist()) == (3, [[3, 4], [6, 7]])
        part.add_(100)
        assert whole.tolist() == [0, 1, 2, 103, 104, 5, 106, 107, 8, 9]


def operators_compute_what_the_cpu_computes() -> None:
    torch.manual_seed(0)
    host = torch.randn(8, 16)
    there = host.to(FIRST)
    operators: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda v: torch.softmax(v, -1),
        lambda v: functional.layer_norm(v, (16,)),
        lambda v: v.sort(-1)[0],
        lambda v: v.topk(3)[1],
        lambda v: torch.cat([v, v]),
        lambda v: torch.stack([v, v]),
        lambda v: v.cumsum(0),
        lambda v: v.std(),
        lambda v: torch.linalg.svd(v)[1],
        lambda v: v.nonzero(),
        functional.gelu,
        lambda v: torch.fft.rfft(v).abs(),
        untyped.unique,
        lambda v: torch.where(v > 0, v, -v),
        lambda v: torch.einsum("ij,kj->ik", v, v),
        lambda v: functional.one_hot((v[0] > 0).long(), 2),
        lambda v: v.to(torch.bfloat16) @ v.to(torch.bfloat16).t(),
        lambda v: functional.interpolate(v[None, None], scale_factor=2),
        lambda v: functional.embedding((v[0] > 0).long(), v),
        lambda v: functional.conv1d(v[None], v[None, :, :3].transpose(0, 1), groups=8),
        lambda v: functional.conv_transpose1d(v[None], v[:, :3, None]),
        lambda v: torch.cdist(v, v),
    ]
    for operator in operators:
        result = operator(there)
        assert result.device == there.device
        torch.testing.assert_close(result.cpu(), operator(host), rtol=0, atol=0)
    # torch computes attention step by step on a device it does not know, and in one kernel on the CPU
    torch.testing.assert_close(attention(there[None, None]).cpu(), attention(host[None, None]))


def attention(values: torch.Tensor) -> torch.Tensor:
    return functional.scaled_dot_product_attention(values, values, values)


def complex_numbers_and_their_views() -> None:
    host = torch.randn(3, dtype=torch.complex64)
    there = host.to(FIRST)
    assert torch.equal(there.conj().cpu(), host.conj().resolve_conj())
    assert torch.equal((there.conj() * there).cpu(), host.conj() * host)
    assert torch.equal(torch.view_as_real(there).cpu(), torch.view_as_real(host))
    assert torch.equal(torch.empty_like(there).copy_(there.conj()).cpu(), host.conj().resolve_conj())
    assert torch.equal(there.conj().imag.cpu(), host.conj().imag.resolve_neg())
    torch.view_as_real(there)[1, 0] = 7
    torch.view_as_complex(torch.view_as_real(there))[2].fill_(9j)
    assert (there[1].item().real, there[2].item()) == (7, 9j)


def reading_values() -> None:
    tensor = torch.randn(2, 2, device=FIRST)
    assert "device='neuron:0'" in str(tensor)
    assert isinstance(tensor[0, 0].item(), float)
    assert tensor.tolist() == tensor.cpu().tolist()
    assert f"{tensor[0, 0]:.2f}" == f"{tensor.cpu()[0, 0]:.2f}"
    refusals: list[Callable[[], object]] = [tensor.numpy, lambda: np.asarray(tensor)]
    for refused in refusals:
        with pytest.raises(TypeError, match="can't convert neuron:0 device type tensor to numpy"):
            refused()


def devices_do_not_mix() -> None:
    there, host = torch.ones(2, 2, device=FIRST), torch.ones(2, 2)
    mixtures: list[Callable[[], object]] = [
        lambda: there + host,
        lambda: there @ host,
        lambda: torch.cat([there, host]),
        lambda: functional.linear(there, host),
        lambda: functional.conv1d(there[None], host[None]),
        lambda: functional.embedding(host.long(), there),
        lambda: there.add_(host),
        lambda: there + torch.ones(2, 2, device=SECOND),
        lambda: torch.mm(there, there.to(SECOND)),
    ]
    for mixture in mixtures:
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            mixture()
    assert (there + torch.tensor(1.0)).sum().item() == 8


def unknown_indices_are_refused() -> None:
    for index in (8, 99):
        with pytest.raises(RuntimeError, match=rf"Device index must be between 0 and 7, got {index}\. Check if NEURON"):
            torch.empty(1, device=f"neuron:{index}")
    with pytest.raises(RuntimeError, match=r"between 0 and 7, got 8"):
        torch.ones(1).to("neuron:8")


def files_keep_the_device_and_can_change_it() -> None:
    tensor = torch.randn(3, device=FIRST)
    file = io.BytesIO()
    torch.save({"x": tensor, "m": torch.nn.Linear(2, 2).to(SECOND).state_dict()}, file)

    def loaded(**options: Any) -> Any:
        file.seek(0)
        return torch.load(file, weights_only=True, **options)

    assert loaded()["x"].device == tensor.device
    assert torch.equal(loaded()["x"].cpu(), tensor.cpu())
    assert loaded()["m"]["weight"].device.index == 1
    assert loaded(map_location="cpu")["x"].device.type == "cpu"
    assert loaded(map_location=SECOND)["x"].device.index == 1
    assert loaded(map_location={FIRST: SECOND})["x"].device.index == 1
    other = io.BytesIO()
    torch.save(torch.ones(3), other)
    other.seek(0)
    assert torch.load(other, map_location=FIRST).device.type == "neuron"


def copies_are_deep() -> None:
    module = torch.nn.Linear(3, 3).to(FIRST)
    copied = copy.deepcopy(module)
    assert copied.weight.device == module.weight.device
    assert copied.weight.data_ptr() != module.weight.data_ptr()
    assert torch.equal(copied.weight.cpu(), module.weight.cpu())
    weight = module.weight.detach()
    assert torch.equal(pickle.loads(pickle.dumps(weight)).cpu(), weight.cpu())  # noqa: S301 - our own bytes
    storage = untyped.UntypedStorage(16, device=FIRST)
    assert storage.clone().nbytes() == 16
    storage.resize_(64)
    assert (storage.nbytes(), storage.device.type) == (64, "neuron")


def streams_and_events_measure_time() -> None:
    stream = torch.Stream(device=FIRST)
    begin, end = torch.Event(device=FIRST, enable_timing=True), torch.Event(device=FIRST, enable_timing=True)
    begin.record(stream)
    product = torch.ones(64, 64, device=FIRST) @ torch.ones(64, 64, device=FIRST)
    end.record(stream)
    stream.synchronize()
    end.synchronize()
    assert end.query()
    assert begin.elapsed_time(end) > 0
    assert product[0, 0].item() == 64


def host_memory_can_be_pinned() -> None:
    assert torch.ones(2).pin_memory().to(FIRST).sum().item() == 2


def torchscript_runs_on_the_device() -> None:
    scripted = torch.jit.script(torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU()))
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    loaded = untyped.jit.load(file, map_location=FIRST)
    inputs = torch.ones(1, 3)
    assert next(loaded.parameters()).device.type == "neuron"
    assert torch.equal(loaded(inputs.to(FIRST)).cpu(), scripted(inputs))
    traced = untyped.jit.trace(torch.nn.Linear(3, 3).to(FIRST), (inputs.to(FIRST),))
    assert traced(torch.ones(2, 3, device=FIRST)).shape == (2, 3)


def custom_operators_run_on_the_device() -> None:
    library = untyped.library.Library("neuronspan_test", "DEF")
    library.define("plus_one(Tensor x) -> Tensor")
    library.impl("plus_one", lambda x: x + 1, "CompositeExplicitAutograd")
    assert torch.ops.neuronspan_test.plus_one(torch.ones(2, device=FIRST)).sum().item() == 4


@pytest.mark.parametrize(
    "scenario",
    [
        names_are_interchangeable,
        factories_give_the_same_values,
        random_numbers_are_the_cpus,
        moves_keep_values_and_strides,
        views_share_memory,
        indexing_and_scattering,
        in_place_operators_keep_the_tensor,
        out_arguments_are_filled_and_resized,
        arguments_of_one_storage_grow_together,
        tensors_can_be_set_to_parts_of_a_storage,
        operators_compute_what_the_cpu_computes,
        complex_numbers_and_their_views,
        reading_values,
        devices_do_not_mix,
        unknown_indices_are_refused,
        files_keep_the_device_and_can_change_it,
        copies_are_deep,
        streams_and_events_measure_time,
        host_memory_can_be_pinned,
        torchscript_runs_on_the_device,
        custom_operators_run_on_the_device,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_device_behaves_as_torch_devices_do(
    scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    processes.run(machine, scenario)
