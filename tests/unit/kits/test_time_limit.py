import pytest


def test_unit_tests_end_within_two_seconds(request: pytest.FixtureRequest) -> None:
    limit = request.node.get_closest_marker("timeout")
    assert limit is not None
    assert limit.args == (2.0,)
