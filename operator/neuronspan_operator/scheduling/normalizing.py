"""Brings scores of different kinds onto one scale. After DefaultNormalizeScore in plugins/helper/normalize_score.go."""

from collections.abc import Mapping
from typing import Final

MOST: Final = 100
"""The best score that a plugin gives."""


def normalized(scores: Mapping[str, int]) -> dict[str, int]:
    """Return scores as parts of the best one, 0 to 100."""
    best = max(scores.values(), default=0)
    return {name: MOST * score // best if best else score for name, score in scores.items()}


def reversed_(scores: Mapping[str, int]) -> dict[str, int]:
    """Return scores 0 to 100 for numbers of which less is better."""
    return {name: MOST - score for name, score in normalized(scores).items()}
