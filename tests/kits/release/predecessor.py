"""The chart that users upgrade from: an archive of what commit f8a6f13 had, for clones without history.

It is the last one before versions of Kubernetes below 1.36 were thought of; no release was made of it.
"""

import pathlib
import tarfile

ARCHIVE = pathlib.Path(__file__).parent / "assets" / "predecessor.tar.gz"


def chart(directory: pathlib.Path) -> pathlib.Path:
    """Write the chart into a directory; returns where it is."""
    with tarfile.open(ARCHIVE) as packed:
        packed.extractall(directory, filter="data")
    return directory / "charts" / "neuronspan"
