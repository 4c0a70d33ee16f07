"""The C++ headers of any torch, without installing it: taken out of its wheel, which is then thrown away."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

from cluster import layout, locking

PLATFORMS = ("macosx_11_0_arm64", "macosx_12_0_arm64", "macosx_13_0_arm64", "macosx_14_0_arm64")
"""The headers are the same on every system, and these wheels have no CUDA in them: 80 MB instead of up to 900."""


def directory(version: str) -> pathlib.Path:
    """Return the directory that has `include` of a torch; download it when it is not in the cache."""
    cache = layout.cache()
    final = cache.root / "torch-headers" / version
    if not final.is_dir():
        with locking.exclusive(cache.lock(f"torch-headers-{version}")):
            if not final.is_dir():
                _take(version, final)
    return final


def _take(version: str, final: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(prefix="torch-wheel-") as scratch, locking.new_directory(final) as made:
        wheel = _downloaded(version, pathlib.Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            wanted = [name for name in archive.namelist() if name.startswith("torch/include/")]
            archive.extractall(scratch, wanted)
        shutil.move(pathlib.Path(scratch, "torch", "include"), made / "include")


def _downloaded(version: str, scratch: pathlib.Path) -> pathlib.Path:
    platforms = [argument for platform in PLATFORMS for argument in ("--platform", platform)]
    command = (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir"),
        *("--implementation", "cp", "--python-version", "3.11", *platforms),
        *("--dest", str(scratch), f"torch=={version}"),
    )
    subprocess.run(command, check=True)
    (wheel,) = scratch.glob("*.whl")
    return wheel
