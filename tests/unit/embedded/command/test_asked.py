"""Nodes as the command line names them."""

import click
import pytest

from neuronspan_embedded.command import asked


def test_nodes_are_named_by_type_and_count() -> None:
    assert asked.nodes(" trn1.32xlarge=2, inf2.48xlarge,") == ["trn1.32xlarge", "trn1.32xlarge", "inf2.48xlarge"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no node is named"),
        ("trn1.32xlarge=", "the number of nodes is ''"),
        ("trn1.32xlarge=0", "the number of nodes is '0'"),
        ("trn1.32xlarge=-1", "the number of nodes is '-1'"),
        ("trn1.32xlarge=" + "9" * 5000, "the number of nodes is"),
        ("trn1.32xlarge=65", "at most 64"),
        ("p5.48xlarge", "p5.48xlarge"),
    ],
)
def test_nodes_that_cannot_be_are_refused(text: str, words: str) -> None:
    with pytest.raises(click.BadParameter, match=words):
        asked.nodes(text)
