"""The image everything else is built upon: Debian's own where it can be pulled, bootstrapped here where not."""

from pathlib import Path

from cluster import archive, engine_images, keys, layout, locking, root_filesystem

PUBLIC = f"debian:{root_filesystem.SUITE}-slim"


def reference() -> str:
    """The name under which the base image is kept; it changes with the recipe."""
    recipe = keys.files_of(layout.SOURCE, ["base_image.py", "root_filesystem.py", "archive.py"])
    return f"neuronspan/base:{keys.key_of(recipe)}"


def ensure() -> str:
    """Make sure that the engine has the base image; returns its name."""
    wanted = reference()
    cache = layout.cache()
    with locking.exclusive(cache.lock("base-image")):
        if not engine_images.identity(wanted):
            _obtain(wanted, cache)
    if not engine_images.identity(PUBLIC):
        engine_images.tag(wanted, PUBLIC)
    return wanted


def _obtain(wanted: str, cache: layout.Cache) -> None:
    log = cache.log("base-image")
    stored = archive_file(wanted)
    if not stored.is_file():
        if engine_images.pull(PUBLIC, log):
            engine_images.tag(PUBLIC, wanted)
            return
        tree = _made_tree(wanted, log)
        with locking.new_file(stored) as draft:
            archive.write(draft, [wanted], tree, archive.ImageConfig(command=("bash",)), keep_owners=True)
    engine_images.load(stored)


def tree_directory(wanted: str) -> Path:
    """The bootstrapped files themselves: the node image starts from them too."""
    return layout.cache().images / wanted.replace("/", "-").replace(":", "-")


def archive_file(wanted: str) -> Path:
    """The image as a docker archive, for an engine that starts empty."""
    directory = tree_directory(wanted)
    return directory.with_name(directory.name + ".tar")


def ensure_tree() -> Path:
    """The bootstrapped files, made now if the base image was pulled."""
    wanted = reference()
    cache = layout.cache()
    with locking.exclusive(cache.lock("base-image")):
        return _made_tree(wanted, cache.log("base-image"))


def _made_tree(wanted: str, log: Path) -> Path:
    final = tree_directory(wanted)
    if not final.is_dir():
        with locking.new_directory(final) as tree:
            root_filesystem.bootstrap(tree, log)
    return final
