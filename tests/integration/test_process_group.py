"""`torch.distributed` over NeuronCores: two processes that torchrun starts, each with a core of its own."""

import json
import pathlib
from typing import Any

import pytest

from kits.device import neuron_programs

pytestmark = pytest.mark.timeout(300)

FRAME = """
import json, pathlib, sys
import torch, torch_neuronx
from torch import distributed as dist

def both(make):
    return [make(rank) for rank in range(2)]

def on_core(*numbers):
    return torch.tensor(numbers, dtype=torch.float32, device="neuron")

dist.init_process_group("neuron")
rank = dist.get_rank()
found = {{}}
def tell(name, value):
    found[name] = value.cpu().tolist() if isinstance(value, torch.Tensor) else value
{body}
dist.destroy_process_group()
pathlib.Path(sys.argv[1], f"{{rank}}.json").write_text(json.dumps(found))
"""

COLLECTIVES = """
given = on_core(rank + 1, 10 * (rank + 1))
tell("backend", dist.get_backend())
tell("core", str(torch_neuronx.DataParallel.__name__ and __import__("neuronspan_runtime").owned_cores()))

for name, op in {"sum": dist.ReduceOp.SUM, "max": dist.ReduceOp.MAX, "avg": dist.ReduceOp.AVG}.items():
    reduced = given.clone()
    dist.all_reduce(reduced, op=op)
    tell(f"all_reduce {name}", reduced)
    assert reduced.device == torch.device("neuron:0")

later = given.clone()
work = dist.all_reduce(later, async_op=True)
work.wait()
tell("all_reduce later", later)

spread = given.clone()
dist.broadcast(spread, src=1)
tell("broadcast", spread)

parts = [torch.empty_like(given) for _ in range(2)]
dist.all_gather(parts, given)
tell("all_gather", torch.stack(parts))
whole = torch.empty(4, device="neuron")
dist.all_gather_into_tensor(whole, given)
tell("all_gather_into_tensor", whole)

share = torch.empty(2, device="neuron")
dist.reduce_scatter(share, [given, given * 100])
tell("reduce_scatter", share)
one = torch.empty(1, device="neuron")
dist.reduce_scatter_tensor(one, given)
tell("reduce_scatter_tensor", one)

swapped = torch.empty_like(given)
dist.all_to_all_single(swapped, given)
tell("all_to_all_single", swapped)
turned = [torch.empty_like(given) for _ in range(2)]
dist.all_to_all(turned, [given, -given])
tell("all_to_all", torch.stack(turned))

collected = [torch.empty_like(given) for _ in range(2)] if rank == 0 else None
dist.gather(given, collected, dst=0)
tell("gather", torch.stack(collected) if rank == 0 else None)
mine = torch.empty_like(given)
dist.scatter(mine, [given, given + 5] if rank == 0 else None, src=0)
tell("scatter", mine)
summed = given.clone()
dist.reduce(summed, dst=1)
tell("reduce", summed if rank == 1 else None)

received = torch.empty_like(given)
sending = dist.isend(given, 1 - rank)
dist.irecv(received, 1 - rank).wait()
sending.wait()
tell("isend and irecv", received)
if rank == 0:
    dist.send(given * 3, 1)
else:
    dist.recv(received, 0)
tell("send and recv", received)

dist.barrier()
objects = [None, None]
dist.all_gather_object(objects, {"rank": rank})
tell("all_gather_object", objects)
halves = given.to(torch.bfloat16)
dist.all_reduce(halves)
tell("all_reduce bfloat16", halves.float())
inner = dist.new_group([1])
if rank == 1:
    alone = given.clone()
    dist.all_reduce(alone, group=inner)
    tell("a group of its own", alone)
"""

TRAINING = """
from torch.nn.parallel import DistributedDataParallel

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(4, 8)
        self.norm = torch.nn.BatchNorm1d(8)
        self.last = torch.nn.Linear(8, 2)
    def forward(self, given):
        return self.last(torch.relu(self.norm(self.first(given))))

for views in (False, True):
    torch.manual_seed(rank)
    model = DistributedDataParallel(Network().to("neuron"), gradient_as_bucket_view=views)
    tell(f"first weight {views}", next(model.parameters())[0])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.manual_seed(7)
    batches = torch.rand(3, 2, 6, 4)
    for batch in batches:
        optimizer.zero_grad()
        model(batch[rank].to("neuron")).square().mean().backward()
        optimizer.step()
    assert {p.grad.device.type for p in model.parameters()} == {"neuron"}
    tell(f"trained {views}", torch.cat([p.flatten() for p in model.parameters()]))
"""


def run(body: str, machine: dict[str, str], directory: pathlib.Path, processes: int = 2) -> list[dict[str, Any]]:
    """Run a program under torchrun; return what each rank told."""
    program = directory / "program.py"
    program.write_text(FRAME.format(body=body), encoding="utf-8")
    launch = (
        "import runpy, sys; sys.argv[0] = 'torchrun'; runpy.run_module('torch.distributed.run', run_name='__main__')"
    )
    options = ["--standalone", f"--nproc-per-node={processes}", str(program), str(directory)]
    done = neuron_programs.run(machine | {"OMP_NUM_THREADS": "1"}, launch, *options, warnings=False)
    assert done.returncode == 0, done.stderr
    return [json.loads((directory / f"{rank}.json").read_text()) for rank in range(processes)]


def test_collectives_work_on_tensors_of_cores(machine: dict[str, str], tmp_path: pathlib.Path) -> None:
    first, second = run(COLLECTIVES, machine, tmp_path)
    alike = {
        "backend": "neuron",
        "all_reduce sum": [3.0, 30.0],
        "all_reduce max": [2.0, 20.0],
        "all_reduce avg": [1.5, 15.0],
        "all_reduce later": [3.0, 30.0],
        "broadcast": [2.0, 20.0],
        "all_gather": [[1.0, 10.0], [2.0, 20.0]],
        "all_gather_into_tensor": [1.0, 10.0, 2.0, 20.0],
        "all_gather_object": [{"rank": 0}, {"rank": 1}],
        "all_reduce bfloat16": [3.0, 30.0],
    }
    own = {
        "core": ("0", "1"),
        "reduce_scatter": ([3.0, 30.0], [300.0, 3000.0]),
        "reduce_scatter_tensor": ([3.0], [30.0]),
        "all_to_all_single": ([1.0, 2.0], [10.0, 20.0]),
        "all_to_all": ([[1.0, 10.0], [2.0, 20.0]], [[-1.0, -10.0], [-2.0, -20.0]]),
        "gather": ([[1.0, 10.0], [2.0, 20.0]], None),
        "scatter": ([1.0, 10.0], [6.0, 15.0]),
        "reduce": (None, [3.0, 30.0]),
        "isend and irecv": ([2.0, 20.0], [1.0, 10.0]),
        "send and recv": ([2.0, 20.0], [3.0, 30.0]),
    }
    assert first == alike | {name: values[0] for name, values in own.items()}
    assert second == alike | {name: values[1] for name, values in own.items()} | {"a group of its own": [2.0, 20.0]}


def test_distributed_data_parallel_trains_one_model(machine: dict[str, str], tmp_path: pathlib.Path) -> None:
    first, second = run(TRAINING, machine, tmp_path)
    assert first == second
    assert first["trained False"] == first["trained True"]
    assert first["trained False"][:4] != first["first weight False"]
