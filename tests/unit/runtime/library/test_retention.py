"""Which compiled libraries are removed: only what is both far down the list of its torch version and long unused."""

import pytest

from neuronspan_runtime.library import retention

DAY = 24 * 3600.0
NOW = 1000 * DAY


def library(number: int, days: float, version: str = "2.13.0+cu130") -> retention.Library:
    return retention.Library(f"torch-{version}-{number:012x}", NOW - days * DAY)


def numbers(*libraries: retention.Library) -> list[int]:
    return [int(name[-12:], 16) for name in retention.superfluous(libraries, NOW)]


def test_five_last_used_of_a_version_are_kept_however_old_they_are() -> None:
    assert numbers(*(library(number, 100 + number) for number in range(5))) == []
    assert numbers(*(library(number, 100 + number) for number in range(8))) == [7, 6, 5]


def test_everything_that_was_used_within_two_weeks_is_kept() -> None:
    assert numbers(*(library(number, 13.9) for number in range(50))) == []
    assert numbers(*(library(number, number) for number in range(20))) == [19, 18, 17, 16, 15]


def test_order_of_use_decides_and_not_the_order_of_listing() -> None:
    used = [90, 20, 80, 30, 70, 40, 60, 50]
    assert numbers(*(library(number, days) for number, days in enumerate(used))) == [0, 2, 4]


def test_versions_of_torch_do_not_compete() -> None:
    old = [library(number, 100 + number, "2.6.0+debian") for number in range(5)]
    assert numbers(*old, *(library(number, 30) for number in range(10, 15))) == []
    assert numbers(*old, library(5, 99, "2.6.0+debian")) == [4]


@pytest.mark.parametrize(
    "name", ["", "lib", "torch-2.6.0", "torch-2.6.0-123", "torch-2.6.0-0123456789ab-mine", "sanitized"]
)
def test_what_is_no_library_of_ours_is_left_alone(name: str) -> None:
    others = [library(number, 20) for number in range(5)]
    assert retention.superfluous([retention.Library(name, 0.0), *others], NOW) == ()


def test_times_in_the_future_count_as_new() -> None:
    assert numbers(*(library(number, -30 + number) for number in range(10))) == []
