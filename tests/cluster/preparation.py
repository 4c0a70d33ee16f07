"""Everything that the demo or the tests need, made side by side where one thing does not wait for another."""

import concurrent.futures
from collections.abc import Callable, Sequence

from cluster import (
    engine,
    kind_cluster,
    lifecycle,
    loading,
    product_images,
    reader_image,
    scopes,
    tools,
    virtual_environment,
)


def for_demo(name: str) -> None:
    """The cluster with the product's images, helm, and an environment for the command line: nothing else."""
    _prepare(name, virtual_environment.DEMO, _programs_of_the_demo)


def for_tests(name: str) -> None:
    """The same with every program and every requirement, in the versions of this checkout, and the readers' image."""
    _prepare(name, virtual_environment.EVERYTHING, tools.build, reader_image.build_upon)


def _programs_of_the_demo() -> None:
    # one after the other: the cluster waits for kind alone
    tools.need("kind")
    tools.need("helm")


def _prepare(
    name: str,
    purpose: virtual_environment.Purpose,
    programs: Callable[[], object],
    upon_runtime: Callable[[str], object] | None = None,
) -> None:
    with scopes.Crew() as crew:
        crew.start(virtual_environment.build, purpose)
        crew.start(programs)
        engine.ensure()
        images = crew.start(product_images.build_all)
        crew.start(_cluster, name, images)
        if upon_runtime is not None:
            crew.start(_upon, images, upon_runtime)


def _upon(images: "concurrent.futures.Future[dict[str, str]]", build: Callable[[str], object]) -> None:
    build(images.result()[reader_image.BASE])


def _cluster(name: str, images: "concurrent.futures.Future[dict[str, str]]") -> None:
    def load(cluster: kind_cluster.Cluster, workers: Sequence[str]) -> None:
        images.result()
        loading.load_early(cluster, product_images.loadable(), workers)

    lifecycle.up(name, load)


TARGETS = {"demo": for_demo, "tests": for_tests}
