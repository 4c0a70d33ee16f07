from pathlib import Path

import pytest

from cluster import go_modules, keys, product_images


def test_key_does_not_depend_on_order() -> None:
    assert keys.key_of({"a": "1", "b": "2"}) == keys.key_of({"b": "2", "a": "1"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": "1"}, {"a": "2"}),
        ({"a": "1"}, {"b": "1"}),
        ({"a": "1"}, {"a": "1", "b": ""}),
        ({"a": "12", "b": ""}, {"a": "1", "b": "2"}),
        ({"a": "1\0b"}, {"a": "1", "b": ""}),
    ],
    ids=["content", "name", "one more", "moved between parts", "terminator inside"],
)
def test_key_differs_when_parts_differ(one: dict[str, str], other: dict[str, str]) -> None:
    assert keys.key_of(one) != keys.key_of(other)


def test_tree_ignores_python_caches_and_sees_everything_else(tmp_path: Path) -> None:
    (tmp_path / "package/__pycache__").mkdir(parents=True)
    (tmp_path / "package/__pycache__/module.pyc").write_bytes(b"1")
    (tmp_path / "package/module.py").write_bytes(b"2")
    assert keys.tree_of(tmp_path) == {"package/module.py": b"2"}


def _module(root: Path, go_mod: str = "module m\n\nrequire a.b/c v1.0.0\n") -> go_modules.GoModule:
    (root / "m").mkdir(exist_ok=True)
    (root / "m/go.mod").write_text(go_mod, encoding="ascii")
    return go_modules.GoModule("m", {"c": "a.b/c"}, minutes=1, root=root)


def test_module_key_changes_with_versions_and_checksums(tmp_path: Path) -> None:
    seen = {_module(tmp_path).key, _module(tmp_path, "module m\n\nrequire a.b/c v1.0.1\n").key}
    (tmp_path / "m/go.sum").write_text("a.b/c v1.0.1 h1:x=\n", encoding="ascii")
    seen.add(_module(tmp_path, "module m\n\nrequire a.b/c v1.0.1\n").key)
    assert len(seen) == 3


def _checkout(root: Path) -> product_images.ProductImage:
    for name, text in {
        "operator/Dockerfile": "FROM scratch\n",
        "operator/neuronspan_operator/a.py": "A = 1\n",
        "operator/neuronspan_operator/b.py": "B = 1\n",
        "operator/requirements.txt": "",
        "charts/neuronspan/Chart.yaml": 'apiVersion: v2\nversion: 0.3.0\nappVersion: "0.2.0"\n',
        "README.md": "readme\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="ascii")
    return product_images.ProductImage("operator", ("operator/neuronspan_operator",), checkout=root)


def test_image_is_named_by_content_and_by_the_charts_version(tmp_path: Path) -> None:
    by_content, by_version = _checkout(tmp_path).references("base")
    assert by_version == "neuronspan/operator:0.2.0"
    assert by_content == f"neuronspan/operator:{_checkout(tmp_path).key('base')}"


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("operator/neuronspan_operator/a.py", True),
        ("operator/neuronspan_operator/new.py", True),
        ("operator/Dockerfile", True),
        ("operator/requirements.txt", True),
        ("deviceplugin/requirements.txt", False),
        ("README.md", False),
        ("deviceplugin/neuronspan_deviceplugin/c.py", False),
    ],
)
def test_image_key_changes_with_what_the_build_sees_only(tmp_path: Path, path: str, changes: bool) -> None:
    image = _checkout(tmp_path)
    before = image.key("base")
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("changed\n", encoding="ascii")
    assert (image.key("base") != before) is changes
    assert image.key("base") != image.key("other base")


def test_build_context_is_the_same_bytes_whatever_the_order_and_time() -> None:
    files = {"b/run": b"#!/bin/sh\n", "a.txt": b"a"}
    again = dict(reversed(files.items()))
    assert product_images.context_archive(files) == product_images.context_archive(again)
