import pytest

from neuronspan_operator.objects import quantities


@pytest.mark.parametrize(
    ("text", "whole", "billionths"),
    [
        ("4", 4, 4 * 10**9),
        (4, 4, 4 * 10**9),
        ("500m", 1, 5 * 10**8),
        ("1.5", 2, 15 * 10**8),
        (".5", 1, 5 * 10**8),
        ("100n", 1, 100),
        ("0.1n", 1, 1),
        ("2Gi", 2 << 30, (2 << 30) * 10**9),
        ("1k", 1000, 10**12),
        ("1E", 10**18, 10**27),
        ("1e3", 1000, 10**12),
        ("12E2", 1200, 12 * 10**11),
        ("-2", -2, -2 * 10**9),
    ],
)
def test_quantity_is_read_and_rounded_up(text: str | float, whole: int, billionths: int) -> None:
    assert (quantities.whole(text), quantities.billionths(text)) == (whole, billionths)


@pytest.mark.parametrize("text", ["", "four", "1 Gi", "1ki", "0x10", "1e", "--1", "٤", "9" * 5000])
def test_quantity_refuses_what_is_none(text: str) -> None:
    with pytest.raises(quantities.InvalidQuantity, match="is not a quantity"):
        quantities.whole(text)
