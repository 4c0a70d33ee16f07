"""Power laws through points that are given."""

import pytest

from performance.growth import fits


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_the_power_of_a_curve_is_found(exponent: float) -> None:
    found = fits.power([(size, 3 * size**exponent) for size in (1.0, 10.0, 100.0)])
    assert found.exponent == pytest.approx(exponent)
    assert found.constant == pytest.approx(3)
    assert found.at(1000) == pytest.approx(3 * 1000**exponent)


def test_the_fit_says_how_much_the_curve_explains() -> None:
    assert fits.power([(1, 1), (10, 10), (100, 100)]).fit == pytest.approx(1)
    assert fits.power([(1, 1), (10, 100), (100, 1)]).fit == pytest.approx(0)
