"""Which context is meant, and what is said of files that cannot be used."""

import os
import pathlib

import pytest

from neuronspan_agent import errors
from neuronspan_operator.cli import kubeconfigs

A = "{contexts: [{name: dev, context: {namespace: ml}}, {name: prod, context: {}}], current-context: dev}"
B = "{contexts: [{name: dev, context: {namespace: other}}, {name: test}], current-context: test}"


def _files(folder: pathlib.Path, *contents: str) -> str:
    paths = [folder / f"config-{number}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    return os.pathsep.join(map(str, paths))


@pytest.mark.parametrize(
    ("contents", "wanted", "expected"),
    [
        ((A, B), "", kubeconfigs.Context("dev", "ml")),
        ((B, A), "", kubeconfigs.Context("test")),
        (("", "{current-context: ''}", A), "", kubeconfigs.Context("dev", "ml")),
        ((B, A), "dev", kubeconfigs.Context("dev", "other")),
        ((A, B), "prod", kubeconfigs.Context("prod")),
        (("{current-context: test}", B), "", kubeconfigs.Context("test")),
    ],
    ids=["first of two", "turned round", "empty ones", "named, in both", "named", "context in another file"],
)
def test_first_file_that_says_something_counts(
    tmp_path: pathlib.Path, contents: tuple[str, ...], wanted: str, expected: kubeconfigs.Context
) -> None:
    assert kubeconfigs.read(_files(tmp_path, *contents), wanted) == expected


def test_file_that_is_not_there_is_passed_over_beside_others(tmp_path: pathlib.Path) -> None:
    paths = os.pathsep.join([str(tmp_path / "none"), _files(tmp_path, A), ""])
    assert kubeconfigs.read(paths).name == "dev"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no current-context: give another one"),
        ("{contexts: [{name: dev}]}", "has no current-context: name one of dev with --context"),
        ("{current-context: prod, contexts: [{name: dev}, {name: test}]}", "has no context prod: it has dev, test"),
        ("{current-context: prod}", "has no context prod: it has no context at all"),
        ("{", "is no YAML: "),
        ("\x00", "is no YAML: "),
        ("[]", "holds no mapping but list"),
        ("{contexts: dev}", "has contexts that are no list"),
        ("{contexts: [dev]}", "has a context without a name"),
        ("{contexts: [{context: {}}]}", "has a context without a name"),
    ],
)
def test_file_that_cannot_be_used_is_named_with_what_is_wrong(tmp_path: pathlib.Path, content: str, words: str) -> None:
    with pytest.raises(errors.LoginFailed, match="kubeconfig") as caught:
        kubeconfigs.read(_files(tmp_path, content))
    said = str(caught.value)
    assert str(tmp_path) in said
    assert words in said
    assert "\n" not in said


def test_no_file_at_all_and_a_folder_are_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.LoginFailed, match=r"there is no kubeconfig .*none: give another one with --kubeconfig"):
        kubeconfigs.read(str(tmp_path / "none"))
    with pytest.raises(errors.LoginFailed, match="there is no kubeconfig of no name"):
        kubeconfigs.read("")
    with pytest.raises(errors.LoginFailed, match="cannot be read: Is a directory"):
        kubeconfigs.read(str(tmp_path))
