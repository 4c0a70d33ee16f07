"""The image of other people's programs that read Neuron's files, upon the runtime's: for tests, never for the demo."""

from cluster import engine_images, layout, locking, product_images

IMAGE = product_images.ProductImage("readers", ("tests/readers/image",), home="tests/readers/image")
BASE = "runtime"


def build() -> str:
    """Make sure that the engine has the image, and the product's; returns its name by content."""
    return build_upon(product_images.build_all()[BASE])


def build_upon(runtime: str) -> str:
    """The same upon a runtime image that the engine has."""
    identity = engine_images.identity(runtime) or runtime
    with locking.exclusive(layout.cache().lock("reader-image")):
        product_images.ensure([IMAGE], runtime, identity)
    return IMAGE.references(identity)[0]


def reference() -> str:
    """The name by content of this checkout's image, built or not."""
    runtime = next(name for name in product_images.loadable() if f"/{BASE}:" in name)
    return IMAGE.references(engine_images.identity(runtime) or runtime)[0]
