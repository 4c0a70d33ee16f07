"""The version stands in ``neuronspan.__version__``; what has to repeat it says the same."""

import re
import sys

import pytest
from click import testing

import neuronspan
from cluster import layout, product_images
from neuronspan_deviceplugin import config as plugin_config
from neuronspan_operator import config as operator_config
from neuronspan_operator.cli import commands
from neuronspan_runtime.telemetry import page_memory

VERSION = re.escape(neuronspan.__version__)


def text_of(path: str) -> str:
    return (layout.CHECKOUT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("field", ["version", "appVersion"])
def test_chart_has_the_version(field: str) -> None:
    assert re.search(rf'^{field}: "?{VERSION}"?$', text_of("charts/neuronspan/Chart.yaml"), re.MULTILINE)


@pytest.mark.parametrize("image", product_images.IMAGES, ids=lambda image: image.name)
def test_dockerfile_has_the_version(image: product_images.ProductImage) -> None:
    assert re.search(rf"^ARG VERSION={VERSION}$", text_of(image.dockerfile), re.MULTILINE)


def test_topmost_entry_of_the_changelog_is_the_version() -> None:
    assert re.findall(r"^## \[(.+?)\]", text_of("CHANGELOG.md"), re.MULTILINE)[0] == neuronspan.__version__


def test_runtime_says_the_version() -> None:
    assert neuronspan.__version__ == page_memory.RUNTIME_VERSION


def test_examples_use_images_of_the_version() -> None:
    manifests = [path.read_text(encoding="utf-8") for path in (layout.CHECKOUT / "examples").rglob("*.yaml")]
    tags = {tag for text in manifests for tag in re.findall(r"image: neuronspan/\w+:(\S+)", text)}
    assert tags == {neuronspan.__version__}


@pytest.mark.parametrize("config", [operator_config, plugin_config], ids=["operator", "deviceplugin"])
def test_agent_says_the_version(config: object, capsys: pytest.CaptureFixture[str]) -> None:
    module = sys.modules[getattr(config, "__name__")]  # noqa: B009 - two modules with the same function
    with pytest.raises(SystemExit) as stopped:
        module.load(["--version"], {})
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"{module.PROGRAM} {neuronspan.__version__}\n"


def test_command_line_says_the_version() -> None:
    answer = testing.CliRunner().invoke(commands.main, ["--version"])
    assert answer.output == f"kubectl neuron, version {neuronspan.__version__}\n"
