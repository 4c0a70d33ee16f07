import pytest

from neuronspan_operator.objects import quantities


@pytest.mark.parametrize(
    ("text", "whole", "milli"),
    [
        ("4", 4, 4000),
        (4, 4, 4000),
        ("500m", 1, 500),
        ("1.5", 2, 1500),
        (".5", 1, 500),
        ("100n", 1, 1),
        ("2Gi", 2 << 30, (2 << 30) * 1000),
        ("1k", 1000, 1_000_000),
        ("1E", 10**18, 10**21),
        ("1e3", 1000, 1_000_000),
        ("12E2", 1200, 1_200_000),
        ("-2", -2, -2000),
    ],
)
def test_quantity_is_read_and_rounded_up(text: str | float, whole: int, milli: int) -> None:
    assert (quantities.whole(text), quantities.milli(text)) == (whole, milli)


@pytest.mark.parametrize("text", ["", "four", "1 Gi", "1ki", "0x10", "1e", "--1", "٤"])
def test_quantity_refuses_what_is_none(text: str) -> None:
    with pytest.raises(quantities.InvalidQuantity, match="is not a quantity"):
        quantities.whole(text)
