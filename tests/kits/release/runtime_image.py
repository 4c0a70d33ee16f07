"""The runtime's own tests inside the runtime's image: another torch, another Python, no compiler, no root, no writes.

pytest and what it needs are pure Python, so the ones of this environment are mounted into the container.
"""

import importlib.metadata
import pathlib
import re
import shutil
from collections.abc import Sequence

from cluster import process, product_images

DISTRIBUTIONS = (
    "pytest", "pluggy", "iniconfig", "packaging", "pygments", "pytest-timeout", "pytest-asyncio", "typing_extensions",
)  # fmt: skip
"""pytest, the plugins that pyproject.toml configures, and what they import."""

SECONDS = 1500.0
CHECKOUT = pathlib.Path(__file__).parents[3]


def copy_pytest(directory: pathlib.Path) -> None:
    """Put the distributions into a directory, as `pip install --target` would, readable by everybody."""
    directory.chmod(0o755)
    for name in DISTRIBUTIONS:
        for file in importlib.metadata.files(name) or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                target = directory / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)


def run_pytest(packages: pathlib.Path, arguments: Sequence[str]) -> str:
    """Run pytest in a container of the image and return what it printed; CommandFailed carries it when tests fail."""
    volumes = {packages: "/pytest", **{CHECKOUT / name: f"/checkout/{name}" for name in ("tests", "pyproject.toml")}}
    command = ["docker", "run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp:exec", "--workdir=/checkout"]
    command += [f"--volume={source}:{target}:ro" for source, target in volumes.items()]
    command += ["--env=PYTHONPATH=/opt/neuronspan:/pytest:/checkout/tests", "--env=HOME=/tmp", image()]
    command += ["python3", "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", *arguments]
    return process.run(command, timeout=SECONDS)


def image() -> str:
    """The name by content of this checkout's runtime image."""
    return next(name for name in product_images.loadable() if "/runtime:" in name)


def passed(output: str) -> int:
    """How many tests the closing line says have passed."""
    found = re.search(r"(\d+) passed", output.strip().splitlines()[-1])
    return int(found[1]) if found else 0
