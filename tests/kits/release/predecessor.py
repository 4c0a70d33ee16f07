"""The chart that users upgrade from, as the history of the checkout has it."""

import pathlib
import tarfile

from cluster import process

COMMIT = "f8a6f13493205bfbf86f0535235b2a1d6a673c0d"
"""The last one before versions of Kubernetes below 1.36 were thought of; no release was made of it."""
CHECKOUT = pathlib.Path(__file__).parents[3]
SECONDS = 60.0


def chart(directory: pathlib.Path) -> pathlib.Path:
    """Write the chart into an empty directory; returns where it is. CommandFailed in a clone without history."""
    archive = directory / "chart.tar"
    command: list[str | pathlib.Path] = [
        "git",
        "-C",
        CHECKOUT,
        "archive",
        "--output",
        archive,
        COMMIT,
        "charts/neuronspan",
    ]
    process.run(command, timeout=SECONDS)
    with tarfile.open(archive) as packed:
        packed.extractall(directory, filter="data")
    return directory / "charts" / "neuronspan"
