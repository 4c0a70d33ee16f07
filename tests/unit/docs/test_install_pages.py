"""The installation pages: commands that a shell understands, files that a release has, and nothing silently not run."""

import re
import subprocess

import pytest

import neuronspan
from cluster import errors
from kits.release import pages
from releasing import release

NAMES = sorted(path.stem for path in pages.DIRECTORY.glob("*.md"))
RUN = {"air-gapped", "index", "kind", "own-registry"}
"""Those that tests/install follows."""
PARTLY = {"eks"}
"""Those of which it follows what needs nobody's account."""
FILES = re.compile(
    r"[\w.-]*(?:neuronspan|requirements|provenance|SHA256SUMS)[\w.$-]*(?:\.(?:tgz|tar|whl|txt|json)|SUMS)\b"
)


def fences(name: str) -> list[str]:
    return re.findall(r"^ *```(\w+)$", pages.text_of(name), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_a_page_are_shell(name: str) -> None:
    whole = pages.script(pages.text_of(name), {})
    assert subprocess.run(["bash", "-n"], input=whole, text=True, capture_output=True, check=False).stderr == ""


@pytest.mark.parametrize("name", NAMES)
def test_page_is_run_or_says_that_it_is_not(name: str) -> None:
    if name in RUN:
        assert set(fences(name)) == {"sh"}
    elif name in PARTLY:
        assert set(fences(name)) == {"sh", "console"}
        assert "**Run in part**: " in pages.text_of(name)
    else:
        assert set(fences(name)) == {"console"}
        assert "**Not run by us**: " in pages.text_of(name)


@pytest.mark.parametrize("name", NAMES)
def test_page_names_only_files_of_a_release(name: str) -> None:
    text = pages.text_of(name).replace("$VERSION", neuronspan.__version__)
    named = {one for file in FILES.findall(text) for one in expanded(file)}
    assert named <= release.products(neuronspan.__version__)


def expanded(file: str) -> list[str]:
    images = ("operator", "deviceplugin", "runtime")
    return [file.replace("$image", image) for image in images] if "$image" in file else [file]


@pytest.mark.parametrize("name", NAMES)
def test_page_is_of_this_version(name: str) -> None:
    text = pages.text_of(name)
    said = set(re.findall(r"VERSION=([\d.]+\d)", text)) | set(re.findall(r"neuronspan-(?:\w+-)?(\d[\d.]*\d)", text))
    assert said <= {neuronspan.__version__}


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"index"}))
def test_page_is_listed(name: str) -> None:
    assert f"]({name}.md) | " in pages.text_of("index")


def test_blocks_of_a_list_are_run_too() -> None:
    assert pages.blocks("1. So:\n\n   ```sh\n   ls\n     --all\n   ```\n") == ["ls\n  --all\n"]


def test_what_is_replaced_has_to_be_in_the_page() -> None:
    text = "Say:\n\n```sh\nssh node-1\n```\n\n```console\nnever\n```\n"
    assert pages.script(text, {"node-1": "mine"}) == "set -euxo pipefail\nssh mine\n"
    with pytest.raises(errors.ClusterError, match="node-2"):
        pages.script(text, {"node-2": "mine"})
