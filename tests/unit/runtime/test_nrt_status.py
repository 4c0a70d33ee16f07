from neuronspan import visible_cores
from neuronspan_runtime import nrt_status


def test_status_numbers_are_those_of_the_header() -> None:
    assert {status.value for status in nrt_status.NrtStatus if status.value < 100} == {*range(16)} - {8, 12}


def test_status_agrees_with_the_domain() -> None:
    assert nrt_status.NrtStatus.INVALID.value == visible_cores.STATUS_INVALID
