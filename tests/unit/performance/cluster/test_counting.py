"""What is counted for a batch of pods: their own work until all is quiet, without what it costs to ask for that."""

import dataclasses

import pytest

from performance.cluster import counting, figures

OF_POD, OF_EVENT, OF_LOOK = 0.04, 0.02, 0.5
PODS = 10


@dataclasses.dataclass
class Played:
    """An API server whose CPU time is known: for each pod, each Event written later, and each look at its counters."""

    events: list[float]
    """How many are written up to each look."""
    processor: float = 100.0
    written: float = 0.0

    def writes(self) -> dict[str, float]:
        """Return the Events so far."""
        self.processor += OF_LOOK
        if self.events:
            self.processor += OF_EVENT * self.events[0]
            self.written += self.events.pop(0)
        return {"POST events": self.written}

    def processor_seconds(self) -> dict[str, float]:
        """Return its CPU time so far."""
        return {"kube-apiserver": self.processor}

    def run(self) -> figures.Run:
        """Bind all pods."""
        self.processor += OF_POD * PODS
        return figures.Run({"pod": 0.0}, {"pod": 1.0}, {})

    def counted(self) -> figures.Run:
        """Bind all pods, counted."""
        return counting.Counting(self.writes, self.processor_seconds).counted(self.run)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize("quick", [[0.0, 5.0], [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]], ids=["a short tail", "a long tail"])
def test_processor_time_is_that_of_pods_and_their_events(quick: list[float]) -> None:
    run = Played(quick).counted()
    assert run.processor_seconds == {"kube-apiserver": pytest.approx(PODS * OF_POD + 5 * OF_EVENT)}
    assert run.tail_seconds == {"kube-apiserver": pytest.approx(5 * OF_EVENT)}
    assert run.writes == {"POST events": 5.0}


def test_a_server_that_is_written_to_for_ever_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_PATIENCE_SECONDS", 0.0)
    with pytest.raises(counting.NoRestError, match="still written to"):
        Played([1.0] * 100).counted()
