"""A unit test that takes two seconds waits for something real, which belongs to another tier."""

import pathlib

import pytest

SECONDS = 2.0
HERE = pathlib.Path(__file__).parent
FRESH_PROCESSES = HERE / "runtime"  # each of its tests starts processes that import torch: the common limit holds there


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and not item.path.is_relative_to(FRESH_PROCESSES):
            item.add_marker(pytest.mark.timeout(SECONDS))
