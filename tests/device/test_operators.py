"""torch's operators on the device against the same on the CPU.

The whole database runs once; the tests read what came of it. `kits/opinfo/operator_checks.py` says what is compared.
"""

import pytest

from kits.opinfo import operator_exceptions, operator_sweep

pytestmark = pytest.mark.timeout(3600)  # whichever test comes first waits for the sweep


@pytest.mark.parametrize("check", operator_sweep.CHECKS)
def test_operators_do_on_the_device_what_they_do_on_the_cpu(
    check: str, found: operator_sweep.Found, exceptions: operator_exceptions.Exceptions
) -> None:
    assert not operator_exceptions.surprises(check, found[check], exceptions)


def test_at_least_630_operators_compute_the_cpus_float32_results_to_the_bit(found: operator_sweep.Found) -> None:
    exact = [name for name, outcome in found["forward"].items() if outcome.exact and not outcome.problem]
    assert len(exact) >= 630


def test_no_operator_ends_its_process(found: operator_sweep.Found) -> None:
    crashed = {check: [name for name, outcome in all_.items() if outcome.crashed] for check, all_ in found.items()}
    assert not any(crashed.values()), crashed
