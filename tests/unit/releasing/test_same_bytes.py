"""The parts of a release follow from what they are made of: not from paths, times, modes or hash seeds of the maker."""

import os
import pathlib
import subprocess
import sys
import tarfile

import pytest

from releasing import chart_package
from releasing.images import base, oci_layout, python_images, trees

MODULE = 'NAMES = {"zeta", "alpha", "beta", "gamma"}\n\n\ndef known(name):\n    return name in {"x", "yy", "zzz"}\n'


def packed(directory: pathlib.Path, time: int) -> pathlib.Path:
    """Return a chart package as helm writes one: with the time of the clock, in the order of the file system."""
    out = directory / "made.tgz"
    with tarfile.open(out, "w:gz") as written:
        for name in ("neuronspan/values.yaml", "neuronspan/Chart.yaml") if time % 2 else ("neuronspan/Chart.yaml",):
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(name, encoding="ascii")
            os.utime(path, (time, time))
            written.add(path, name)
        if not time % 2:
            (directory / "neuronspan/values.yaml").write_text("neuronspan/values.yaml", encoding="ascii")
            written.add(directory / "neuronspan/values.yaml", "neuronspan/values.yaml")
    return out


def test_chart_package_does_not_depend_on_the_clock_nor_on_the_order_of_files(tmp_path: pathlib.Path) -> None:
    contents = []
    for time in (1_000_000_001, 1_700_000_002):
        directory = tmp_path / str(time)
        directory.mkdir()
        chart_package.rewrite(packed(directory, time), directory / "out.tgz", 1_600_000_000)
        contents.append((directory / "out.tgz").read_bytes())
    assert contents[0] == contents[1]


def compiled(directory: pathlib.Path, seed: str) -> bytes:
    module = directory / "opt/neuronspan/module.py"
    module.parent.mkdir(parents=True)
    module.write_text(MODULE, encoding="ascii")
    os.utime(module, (int(seed), int(seed)))
    words = base.bytecode("opt", (base.WHOLE, base.BARE), str(directory))
    subprocess.run([sys.executable, *words], check=True, env={"PYTHONHASHSEED": base.SEED["PYTHONHASHSEED"]})
    return oci_layout.layer_of(directory).content


def test_bytecode_does_not_depend_on_path_and_time_of_its_source(tmp_path: pathlib.Path) -> None:
    assert compiled(tmp_path / "a", "1") == compiled(tmp_path / "another/place", "2")


@pytest.mark.parametrize("name", ["operator", "deviceplugin", "runtime"])
def test_sources_of_an_image_do_not_depend_on_the_umask(tmp_path: pathlib.Path, name: str) -> None:
    before = os.umask(0o077)
    try:
        strict = oci_layout.layer_of(python_images.sources(name, tmp_path / "strict"))
    finally:
        os.umask(before)
    assert strict.diff_id == oci_layout.layer_of(python_images.sources(name, tmp_path / "usual")).diff_id


def test_executables_stay_so(tmp_path: pathlib.Path) -> None:
    (tmp_path / "program").touch(0o700)
    (tmp_path / "data").touch(0o600)
    trees.readable(tmp_path)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {"program": 0o755, "data": 0o644}
