"""How the page writes numbers."""


def grouped(number: float) -> str:
    """Return a whole number in groups of three digits, as the other pages have them."""
    return f"{number:,.0f}".replace(",", " ")
