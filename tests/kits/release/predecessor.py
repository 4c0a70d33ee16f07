"""What users upgrade from: a chart of then, and a plugin of then that kubelet knows by the device IDs of then.

The chart is an archive of what commit f8a6f13 had, the last one before versions of Kubernetes below 1.36 were thought
of; no release was made of it. The plugin is built from the history of this repository.
"""

import dataclasses
import pathlib
import tarfile

from cluster import layout, process, product_images

PLUGIN_COMMIT = "18b2e11cce67b66fe02d2911b743051ad02c04f7"
"""The last one whose plugin called core 4 ``nc-4``, and not ``4``."""
PLUGIN = "deviceplugin"
ARCHIVE = pathlib.Path(__file__).parent / "assets" / "predecessor.tar.gz"
_CHART = "charts/neuronspan/Chart.yaml"  # says the version
_GIT = ("git", "-C", str(layout.CHECKOUT))


def is_in_history() -> bool:
    """Whether this clone has the commit of the plugin: a shallow one has not."""
    return process.succeeds([*_GIT, "cat-file", "-e", f"{PLUGIN_COMMIT}^{{commit}}"], timeout=30)


def build_plugin(directory: pathlib.Path) -> str:
    """Check out the plugin of then into a directory and build its image; returns the image's name."""
    (today,) = (each for each in product_images.IMAGES if each.name == PLUGIN)
    built_of = (*product_images.SHARED, today.dockerfile, today.requirements, *today.sources)
    packed = directory / "plugin.tar"
    process.run([*_GIT, "archive", f"--output={packed}", PLUGIN_COMMIT, *built_of, _CHART], timeout=60)
    with tarfile.open(packed) as archive:
        archive.extractall(directory, filter="data")
    return product_images.build_former(dataclasses.replace(today, checkout=directory))


def chart(directory: pathlib.Path) -> pathlib.Path:
    """Write the chart into a directory; returns where it is."""
    with tarfile.open(ARCHIVE) as packed:
        packed.extractall(directory, filter="data")
    return directory / "charts" / "neuronspan"
