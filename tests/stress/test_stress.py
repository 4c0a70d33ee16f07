"""Processes that load, place, run and unload models and are killed at random: every promise holds all the time."""

import pathlib
import sys
import time
from collections.abc import Mapping

import neuronspan_runtime
from kits.device import neuron_models, neuron_processes
from stress import driver, worker


def use_all_cores(models: pathlib.Path) -> int:
    """Claim all cores of the machine and run a model on each; return how many there are."""
    cores = neuronspan_runtime.owned_cores()
    for _ in range(cores.count):
        neuron_models.load(models, 1)
    return cores.count


def save_models(directory: pathlib.Path) -> None:
    """Compile the models."""
    neuron_models.save_all(directory)


def summary(plan: driver.Plan, run: driver.Run, found: driver.Findings, seconds: float) -> str:
    """One line for people, and the operations by name."""
    operations = {name: number for name, number in sorted(found.counts.items()) if hasattr(worker, name)}
    return (
        f"\nstress: {seconds:.0f} s, {plan.processes} processes of {plan.threads} threads: {run.killed} killed, "
        f"{run.ended} ended, {found.operations} operations, {found.intervals} ownerships, "
        f"{found.counts['refused']} refused, {found.compared} cores compared with the kernel's locks in "
        f"{len(run.snapshots)} looks; {len(found.conflicts)} owned twice, {len(found.contradictions)} contradictions, "
        f"{len(found.complaints)} failures\noperations: {operations}\n"
    )


def test_stress_keeps_every_promise(
    processes: neuron_processes.Parent, machine: Mapping[str, str], plan: driver.Plan, tmp_path: pathlib.Path
) -> None:
    models, journals = tmp_path / "models", tmp_path / "journals"
    models.mkdir()
    journals.mkdir()
    processes.run({}, save_models, models)
    run = driver.Run(processes, machine, models)
    begin = time.monotonic()
    run.stress(plan, journals)
    seconds = time.monotonic() - begin
    assert run.failures == []
    found = driver.findings(journals, run.snapshots)
    sys.stdout.write(summary(plan, run, found, seconds))
    assert found.complaints == []
    assert found.conflicts == []
    assert found.contradictions == []
    assert run.killed > 0
    assert run.ended > 0
    assert found.compared > 0
    cores = pathlib.Path(machine["NEURONSPAN_STATE_DIR"], "cores")
    held = driver.kernel_locks()
    assert [path.name for path in cores.glob("*.lock") if path.stat().st_ino in held] == []
    assert processes.run(machine, use_all_cores, models) == worker.CORES
    assert {path.name for path in cores.iterdir()} == {f"{core}.lock" for core in range(worker.CORES)}
