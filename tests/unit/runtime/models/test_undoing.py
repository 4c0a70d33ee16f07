"""Putting back what a refused change has changed, on models that only note what they are told."""

import contextlib
from typing import Any

import pytest
import torch

from neuronspan_runtime.device import operators
from neuronspan_runtime.models import model, placing, undoing, weights


class Noting:
    """A model that stands where it is told, and refuses one core; `log` is of all models together."""

    def __init__(self, name: str, log: list[str], refuses: int = -2) -> None:
        self.name, self.log, self.refuses = name, log, refuses
        self.stands = [-1, -1]
        self.dynamic = False

    def standing(self) -> list[int]:
        return list(self.stands)

    def put_back(self, standing: list[int]) -> None:
        self.log.append(f"{self.name} back")
        self.stands = list(standing)

    def unload(self) -> None:
        self.log.append(f"{self.name} off")

    def set_neuron_devices(self, start: int, count: int) -> None:
        if start == self.refuses:
            raise RuntimeError(f"{self.name} refuses {start}")
        self.stands = [start, count]

    def dynamic_batch(self) -> bool:
        return self.dynamic

    def set_dynamic_batch(self, dynamic: bool) -> None:
        self.dynamic = dynamic


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[Noting]:
    """Two models, which any trace holds here; the third refuses core 3, and is last."""
    log: list[str] = []
    found = [Noting("first", log), Noting("second", log), Noting("third", log, refuses=3)]
    monkeypatch.setattr(model, "models_of", lambda _: iter(found))
    monkeypatch.setattr(placing, "_visible_cores", lambda: 8)
    return found


@pytest.fixture
def defaults(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What the process's default was set to."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(operators, "set_default_cores", lambda start, count: found.append((start, count)))
    return found


def test_models_before_the_refused_one_go_off_first_and_then_back(models: list[Noting]) -> None:
    with pytest.raises(RuntimeError, match="third refuses 3"):
        placing.set_neuron_cores(torch.nn.Identity(), 3)
    assert [one.stands for one in models] == [[-1, -1]] * 3
    assert models[0].log == ["first off", "second off", "first back", "second back"]


def test_default_is_set_by_a_move_that_succeeded_only(models: list[Noting], defaults: list[tuple[int, int]]) -> None:
    with pytest.raises(RuntimeError, match="third refuses 3"):
        placing.move_trace_to_device(torch.nn.Identity(), 3)
    assert defaults == []
    placing.move_trace_to_device(torch.nn.Identity(), 4)
    assert defaults == [(4, -1)]
    assert [one.stands for one in models] == [[4, -1]] * 3


def test_dynamic_batching_is_put_back(models: list[Noting]) -> None:
    models[1].dynamic = True
    with contextlib.suppress(KeyError), undoing.as_before_when_refused(torch.nn.Identity()):
        for one in models:
            one.set_dynamic_batch(one is models[0])
        raise KeyError
    assert [one.dynamic for one in models] == [False, True, False]
    assert models[0].log == []


def test_tensors_outside_are_put_back(models: list[Noting], monkeypatch: pytest.MonkeyPatch) -> None:
    holder: Any = torch.nn.Linear(2, 2)
    before = holder.weight
    monkeypatch.setattr(weights, "outside", lambda _: iter([(holder, "weight", before)]))
    with contextlib.suppress(KeyError), undoing.as_before_when_refused(torch.nn.Identity()):
        holder.weight = torch.nn.Parameter(torch.zeros(2, 2))
        raise KeyError
    assert holder.weight is before
    assert len(models) == 3


def test_what_succeeds_stays(models: list[Noting]) -> None:
    placing.set_neuron_cores(torch.nn.Identity(), 5, 2)
    assert [one.stands for one in models] == [[5, 2]] * 3


@pytest.mark.parametrize("start", [-5, -2])
def test_start_below_the_least_used_one_is_refused(start: int, models: list[Noting]) -> None:
    with pytest.raises(ValueError, match=f"Invalid NeuronCore index start_nc={start}"):
        placing.set_neuron_cores(torch.nn.Identity(), start)
    assert [one.stands for one in models] == [[-1, -1]] * 3
