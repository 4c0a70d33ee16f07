"""The product's images: built from the checkout, named by version and by what they were built from.

Law: what goes to the engine is exactly the files named here, in one reproducible archive, so an equal key means an
equal image and nothing is built.
"""

import contextlib
import dataclasses
import io
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cluster import (
    archive,
    base_image,
    console,
    disk,
    engine_images,
    environment,
    errors,
    keys,
    layout,
    locking,
    process,
    scopes,
)

REPOSITORY = "neuronspan"
BYTES_NEEDED = 3_000_000_000
BUILD_SECONDS = 1800.0
CERTIFICATES = "ca-certificates.crt"
"""Where Dockerfiles find the CA bundle of this machine, when it was told to trust one of its own."""
AGENTS = ("deviceplugin/neuronspan", "deviceplugin/neuronspan_agent")
"""What operator and device plugin both run."""
SHARED = ("LICENSE",)
PASSED_ON = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST")


@dataclasses.dataclass(frozen=True)
class ProductImage:
    """One image: its Dockerfile is `<directory>/Dockerfile`, `sources` are the directories it copies from."""

    name: str
    sources: tuple[str, ...]
    checkout: Path = layout.CHECKOUT
    home: str = ""
    """The directory, where it is not called like the image."""

    @property
    def directory(self) -> str:
        """Its path below the checkout."""
        return self.home or self.name

    @property
    def dockerfile(self) -> str:
        """Its path below the checkout."""
        return f"{self.directory}/Dockerfile"

    @property
    def requirements(self) -> str:
        """The hashed requirements that it installs, where there are any."""
        return f"{self.directory}/requirements.txt"

    def files(self) -> dict[str, bytes]:
        """Everything the build may see, by path below the checkout."""
        found = keys.files_of(self.checkout, (*SHARED, self.dockerfile, self.requirements))
        for source in self.sources:
            tree = keys.tree_of(self.checkout / source)
            found |= {f"{source}/{name}": content for name, content in tree.items()}
        return found

    def key(self, base: str) -> str:
        """Changes with every file the build may see and with the base image."""
        return keys.key_of({**self.files(), "base image": base})

    def references(self, base: str) -> tuple[str, str]:
        """Its name by content, and its name by version."""
        path = f"{REPOSITORY}/{self.name}"
        return f"{path}:{self.key(base)}", f"{path}:{version(self.checkout)}"


IMAGES = (
    ProductImage("operator", (*AGENTS, "operator/neuronspan_operator")),
    ProductImage("deviceplugin", (*AGENTS, "deviceplugin/neuronspan_deviceplugin")),
    ProductImage("runtime", ("deviceplugin/neuronspan", "runtime")),
)


SIDE_BY_SIDE = (("operator", "deviceplugin"), ("runtime",))


def version(checkout: Path = layout.CHECKOUT) -> str:
    """The version of the images: the chart's appVersion."""
    text = (checkout / "charts/neuronspan/Chart.yaml").read_text(encoding="utf-8")
    found = re.search(r'^appVersion: "?([^"\s]+)"?\s*$', text, re.MULTILINE)
    if not found:
        raise errors.ClusterError("charts/neuronspan/Chart.yaml has no appVersion: it is the images' tag")
    return found[1]


def present() -> tuple[ProductImage, ...]:
    """The images this checkout has a Dockerfile for."""
    return tuple(image for image in IMAGES if (image.checkout / image.dockerfile).is_file())


def build_all() -> dict[str, str]:
    """Make sure that the engine has every image of this checkout; returns names by content, by component.

    Images with layers in common are built one after the other, and find them in the engine's cache.
    """
    base = base_image.ensure()
    identity = engine_images.identity(base) or base
    here = {image.name: image for image in present()}
    with locking.exclusive(layout.cache().lock("product-images")), scopes.Crew() as crew:
        for names in SIDE_BY_SIDE:
            crew.start(ensure, [here[name] for name in names if name in here], base, identity)
    return {image.name: image.references(identity)[0] for image in here.values()}


def build_former(image: ProductImage) -> str:
    """Make sure that the engine has an image of another checkout; returns its name by content, the only one it has."""
    base = base_image.ensure()
    by_content, _ = image.references(engine_images.identity(base) or base)
    with locking.exclusive(layout.cache().lock("product-images")):
        if not engine_images.identity(by_content):
            _build(image, base, (by_content,))
    return by_content


def ensure(images: Sequence[ProductImage], base: str, identity: str) -> None:
    """Make sure that the engine has these images upon `base`, whose id is `identity`, one after the other."""
    for image in images:
        by_content, by_version = image.references(identity)
        if engine_images.identity(by_content):
            engine_images.tag(by_content, by_version)
            console.say(f"images: {by_version} is up to date ({by_content})")
        else:
            _build(image, base, (by_content, by_version))
            _prune(by_content)


def superseded(made: Mapping[str, str], current: str) -> tuple[str, ...]:
    """The names by content that may go, from names with the times when their images were made. Pure.

    `current` stays, and of the others the newest: somebody who works in two checkouts, or goes back and forth between
    two branches, builds nothing twice. Names that are not by content are not ours to take.
    """
    path = current.partition(":")[0]
    by_content = re.compile(rf"{re.escape(path)}:[0-9a-f]{{{keys.LENGTH}}}")
    others = [name for name in made if by_content.fullmatch(name) and name != current]
    return tuple(sorted(others, key=lambda name: (made[name], name), reverse=True)[1:])


def _prune(current: str) -> None:
    """Take older names of an image away; a name in use stays for the next time."""
    try:
        names = superseded(engine_images.names_of(current.partition(":")[0]), current)
        if names:
            engine_images.untag(names)
            console.say(f"images: removed {', '.join(names)}")
    except errors.CommandFailed as error:
        console.say(f"images: older ones of {current} stay: {error}")


def loadable() -> dict[str, tuple[str, ...]]:
    """The images of this checkout by their names by content, each with its name by version."""
    base = base_image.reference()
    identity = engine_images.identity(base) or base
    references = (image.references(identity) for image in present())
    return {by_content: (by_version,) for by_content, by_version in references}


def _build(image: ProductImage, base: str, references: tuple[str, ...]) -> None:
    cache = layout.cache()
    disk.need(f"building the image {references[-1]}", cache.root, BYTES_NEEDED)
    log = cache.log(f"image-{image.name}")
    log.unlink(missing_ok=True)
    variables = environment.variables(BUILDKIT_PROGRESS="plain")
    if not process.succeeds(["docker", "buildx", "version"], timeout=30):
        variables["DOCKER_BUILDKIT"] = "0"
    command = ["docker", "build", "--file", image.dockerfile, "--build-arg", f"BASE={base}"]
    for reference in references:
        command += ["--tag", reference]
    arguments = {"VERSION": version(image.checkout), **build_arguments(variables)}
    for name, value in arguments.items():
        command += ["--build-arg", f"{name}={value}"]
    with console.Step(f"images: {references[-1]}") as step, _context(image) as context:
        process.logged(
            [*command, "-"],
            log,
            timeout=BUILD_SECONDS,
            alive=lambda: step.progress(f"building, log {log}"),
            variables=variables,
            stdin=context,
        )


def build_arguments(variables: Mapping[str, str]) -> dict[str, str]:
    """What the network between here and the package indexes needs: proxies, and pip's own settings."""
    passed = {name: variables[name] for name in PASSED_ON if variables.get(name)}
    return environment.proxies(variables) | passed


@contextlib.contextmanager
def _context(image: ProductImage) -> Iterator[Path]:
    path = layout.cache().root / "logs" / f"context-{image.name}.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    files = image.files()
    bundle = environment.certificate_bundle(environment.variables())
    if bundle:
        files[CERTIFICATES] = bundle.read_bytes()
    path.write_bytes(context_archive(files))
    try:
        yield path
    finally:
        path.unlink()


def context_archive(files: Mapping[str, bytes]) -> bytes:
    """Files as one tar archive whose bytes depend on nothing else; scripts with a `#!` line are executable."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as written:
        for name in sorted(files):
            member = archive.normalise(tarfile.TarInfo(name))
            member.size = len(files[name])
            member.mode = 0o755 if files[name].startswith(b"#!") else 0o644
            written.addfile(member, io.BytesIO(files[name]))
    return out.getvalue()
