from neuronspan import visible_cores
from neuronspan_runtime import nrt_status


def test_status_numbers_are_those_of_the_header() -> None:
    assert {status.value for status in nrt_status.NrtStatus if status.value < 100} == {*range(16)} - {8, 12}


def test_status_of_a_malformed_core_set_is_invalid() -> None:
    assert visible_cores.STATUS_INVALID == nrt_status.NrtStatus.INVALID
