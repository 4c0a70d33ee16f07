"""What pages call by its name exists under this name: variables, targets, commands, modules, metrics, values."""

import functools
import itertools
import pathlib
import re
import tomllib
from collections.abc import Callable, Iterator

import pytest
import yaml

from kits.documentation import pages
from neuronspan import names
from neuronspan_deviceplugin import metrics as plugin_metrics
from neuronspan_operator import metrics as operator_metrics
from neuronspan_operator.cli import commands
from neuronspan_runtime import environment

PAGES = pages.pages()
PACKAGES = ("deviceplugin", "operator", "runtime", "tests")
VALUES = pages.CHECKOUT / "charts" / "neuronspan" / "values.yaml"
REFERENCE = pages.CHECKOUT / "docs" / "reference"
FOREIGN_MODULES = {"pip", "pytest", "venv", "xpustat.neuron"}
NO_FILES = {
    "neuronspan_deviceplugin/kubelet/dra",  # what CONTRIBUTING says to make
    *(f"neuronspan/{image}" for image in ("operator", "deviceplugin", "runtime")),
}
OF_OTHERS = REFERENCE / "device-names.md"
"""The page that names files of other packages."""
OPEN = {"devicePlugin.podSecurityContext.seLinuxOptions"}
"""Values below which Kubernetes says what there is."""

Names = Callable[[pages.Page], Iterator[str]]


@functools.cache
def known() -> frozenset[str]:
    """Every name in the code that begins as ours do, and those that the reference has from it.

    Settings and metrics are put together from parts; that their reference says what the code does is another test.
    """
    texts = [path.read_text(encoding="utf-8") for path in _code()]
    texts += [(REFERENCE / name).read_text(encoding="utf-8") for name in ("settings.md", "metrics.md")]
    return frozenset(itertools.chain.from_iterable(re.findall(r"\b(?i:neuronspan)_\w+", text) for text in texts))


def _code() -> Iterator[pathlib.Path]:
    kept = [
        pages.CHECKOUT / each for each in ("deviceplugin", "operator", "runtime", "charts", "tests/cluster", "Makefile")
    ]
    for path in pages.sources(".py", ".cpp", ".h", ".yaml", ".tpl", "Makefile"):
        if any(path.is_relative_to(each) for each in kept):
            yield path


@functools.cache
def values() -> set[str]:
    """Every value of the chart, by its path."""

    def below(node: object, path: str) -> Iterator[str]:
        for key, inner in node.items() if isinstance(node, dict) else ():
            yield f"{path}{key}"
            yield from below(inner, f"{path}{key}.")

    return set(below(yaml.safe_load(VALUES.read_text(encoding="utf-8")), ""))


@functools.cache
def files() -> frozenset[str]:
    """Every file and folder, by its path in the checkout and from each of its folders on, with and without ending."""
    paths = {path.relative_to(pages.CHECKOUT) for path in pages.sources("")}
    paths |= {folder for path in paths for folder in path.parents if folder.name}
    spelled = {each for path in paths for each in (path, path.with_suffix(""))}
    return frozenset("/".join(path.parts[start:]) for path in spelled for start in range(len(path.parts)))


@functools.cache
def streets() -> set[str]:
    """The names that a path of ours begins with."""
    folders = {path.parent.relative_to(pages.CHECKOUT).parts for path in pages.sources(".py", ".cpp")}
    own = itertools.chain.from_iterable(parts[:3] for parts in folders if parts and parts[0] in PACKAGES)
    return {*own, "docs", "charts", "examples"}


def unknown_variables(page: pages.Page) -> Iterator[str]:
    yield from set(re.findall(r"\bNEURONSPAN_\w*[A-Z]", page.text)) - known()


def unknown_targets(page: pages.Page) -> Iterator[str]:
    makefile = (pages.CHECKOUT / "Makefile").read_text(encoding="utf-8")
    for code in page.code:
        for target in re.findall(r"\bmake ([a-z][a-z0-9-]*)", re.sub(r"#.*", "", code)):
            if not re.search(rf"^{target}:", makefile, re.MULTILINE):
                yield target


def unknown_commands(page: pages.Page) -> Iterator[str]:
    for code in page.code:
        yield from set(re.findall(r"kubectl neuron ([a-z]+)", code)) - set(commands.main.commands)


def unknown_modules(page: pages.Page) -> Iterator[str]:
    for module in re.findall(r"python3? -m ([\w.]+\w)", page.text):
        if module not in FOREIGN_MODULES and module.replace(".", "/") not in files():
            yield module


def unknown_paths(page: pages.Page) -> Iterator[str]:
    for span in re.findall(r"`([\w.-]+(?:/[\w.+-]+)+)/?(?:::[^`]*)?`", page.prose):
        ours = span.partition("/")[0] in streets() or span.endswith((".py", ".md", ".tpl"))
        there = span in files() or (page.path.parent / span).exists()
        if ours and not there and span not in NO_FILES and page.path != OF_OTHERS:
            yield span


def unknown_metrics(page: pages.Page) -> Iterator[str]:
    for name in re.findall(r"\bneuronspan_[a-z_]+\b", page.text):
        if not known() & {name, name.removesuffix("_total")}:  # Prometheus' client appends it
            yield name


def unknown_values(page: pages.Page) -> Iterator[str]:
    for value in re.findall(r"`(?:--set )?([a-zA-Z]+(?:\.[a-zA-Z]+)+)(?:=[^`]*|: [^`]*)?`", page.prose):
        below = any(value.startswith(f"{each}.") for each in OPEN)
        if value.partition(".")[0] in values() and not below and not value.endswith(".py"):
            yield from {value} - values()


KINDS: dict[str, Names] = {
    "variables": unknown_variables,
    "targets of make": unknown_targets,
    "commands of kubectl neuron": unknown_commands,
    "modules that are run": unknown_modules,
    "files": unknown_paths,
    "metrics": unknown_metrics,
    "values of the chart": unknown_values,
}


@pytest.mark.parametrize("unknown", KINDS.values(), ids=KINDS)
def test_pages_name_only(unknown: Names) -> None:
    assert [(str(page), sorted(set(unknown(page)))) for page in PAGES if list(unknown(page))] == []


INVENTED = {
    "variables": "`NEURONSPAN_NOTHING_OF_THIS`",
    "targets of make": "```sh\nmake nothing   # make more\n```",
    "commands of kubectl neuron": "`kubectl neuron dance POD`",
    "modules that are run": "`python -m performance.nothing`",
    "files": "`reconciling/nothing`",
    "metrics": "`neuronspan_nothing_total`",
    "values of the chart": "`operator.nothing=1`",
}


@pytest.mark.parametrize("kind", KINDS)
def test_name_of_nothing_is_seen(kind: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "page.md").write_text(INVENTED[kind] + "\n")
    assert len(list(KINDS[kind](pages.Page(tmp_path / "page.md")))) == 1


def test_settings_have_every_variable_that_the_runtime_reads() -> None:
    _, _, section = (REFERENCE / "settings.md").read_text(encoding="utf-8").partition("\n## Runtime\n")
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    constants = {**vars(names), **vars(environment)}
    said = [each for name, each in constants.items() if name.endswith(("_ENV", "_ENVS"))]
    read = {each for one in said for each in ([one] if isinstance(one, str) else one)}
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == read


def test_metrics_have_every_alert_with_its_severity() -> None:
    templates = (VALUES.parent / "templates" / "metrics" / "_alerts.tpl").read_text(encoding="utf-8")
    alerts = re.findall(r"^- alert: (\w+)$.*?^  severity: (\w+)$", templates, re.MULTILINE | re.DOTALL)
    rows = re.findall(
        r"^\| `(Neuron\w+)` \| (\w+) \|", (REFERENCE / "metrics.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == alerts


def test_metrics_have_everything_that_an_agent_exports() -> None:
    registries = (operator_metrics.Metrics().registry, plugin_metrics.Metrics().registry)
    page = (REFERENCE / "metrics.md").read_text(encoding="utf-8")
    families = [family for registry in registries for family in registry.collect()]
    ours = {each.name for each in families if each.name.startswith("neuronspan_")}
    assert {name for name in ours if f"| `{name}" not in page} == set()


def test_layers_of_the_architecture_are_those_that_lint_holds() -> None:
    project = tomllib.loads((pages.CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    held = {" > ".join(contract["layers"]) for contract in contracts if contract["type"] == "layers"}
    page = pages.Page(pages.CHECKOUT / "docs" / "architecture.md")
    shown = [line for code in page.code if code.startswith("```\n") for line in code.splitlines() if " > " in line]
    assert len(shown) == 5
    assert set(shown) <= held
