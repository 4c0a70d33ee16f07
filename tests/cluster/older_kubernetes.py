"""The API server of another version of Kubernetes, built from Go modules and put beside the other programs.

Its go.mod is written here and not kept in the checkout: Kubernetes' own says which libraries it publishes under its
version, and Go checks each module against the public checksum database.
"""

import dataclasses
import json
import os
import re
from pathlib import Path

from cluster import console, disk, errors, go_modules, go_toolchain, keys, layout, locking, process, tools

OLDEST = 30
"""The minor version that first has ValidatingAdmissionPolicy in its stable form."""
PROGRAM = "kube-apiserver"
BESIDE = ("etcd", "helm", "kubectl")
"""What tests use with it, of this checkout's own versions."""

_MODULE = "k8s.io/kubernetes"
_MINUTES = 6
_BYTES_NEEDED = 4_000_000_000
_QUERY_SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Release:
    """A release of Kubernetes, like `v1.33.13`, and the text of its go.mod."""

    version: str
    go_mod: str


def query(asked: str) -> str:
    """Return what Go is asked for: `v1.33` is the newest patch of 1.33; UnknownVersion when it is none of ours."""
    found = re.fullmatch(r"v?1\.(\d+)(\.(?:\d+|x))?", asked)
    if not found or int(found[1]) < OLDEST:
        raise errors.UnknownVersion(f"VERSION is {asked!r}: write 1.{OLDEST} or newer, like 1.33 or 1.33.13")
    patch = found[2] or ""
    return f"v1.{found[1]}{'' if patch == '.x' else patch}"


def wrapper(release: Release) -> str:
    """Return the go.mod of a module that can build the commands of this release.

    A library that Kubernetes develops in its own repository is published as v0 with the same minor and patch version.
    """
    go = re.search(r"^go \S+$", release.go_mod, re.MULTILINE)
    libraries = sorted(set(re.findall(r"(k8s\.io/\S+) => \./staging/", release.go_mod)))
    libraries = libraries or sorted(set(re.findall(r"^\s+(k8s\.io/\S+) v0\.0\.0\b", release.go_mod, re.MULTILINE)))
    if not go or not libraries:
        raise errors.UnknownVersion(
            f"the go.mod of {_MODULE} {release.version} names no libraries of its own repository"
        )
    own = "v0" + release.version.removeprefix("v1")
    lines = "".join(f"\t{library} => {library} {own}\n" for library in libraries)
    module = "module neuronspan.dev/cluster/older"
    return f"{module}\n\n{go[0]}\n\nreplace (\n{lines})\n\nrequire {_MODULE} {release.version}\n"


def build(asked: str) -> Path:
    """Make sure that the API server exists; returns a directory with it and with what tests use beside it."""
    others = tools.build()
    go = go_toolchain.require(layout.MODULES / "kubernetes")
    cache = layout.cache()
    with locking.exclusive(cache.lock("older-kubernetes")):
        release = _release(query(asked), go)
        key = keys.key_of({"go.mod": wrapper(release), "flags": " ".join(_flags(release)), "beside": str(others)})
        final = cache.tools / "older" / f"{release.version}-{key}"
        if final.is_dir():
            console.say(f"kubernetes {release.version}: nothing to do, {final}")
        else:
            _build_into(final, release, go, others)
    return final


def _release(wanted: str, go: go_toolchain.Go) -> Release:
    command: list[str | Path] = [go.command, "mod", "download", "-json", f"{_MODULE}@{wanted}"]
    answer = json.loads(
        process.run(command, timeout=_QUERY_SECONDS, variables=go.variables(), directory=layout.CHECKOUT)
    )
    return Release(answer["Version"], Path(answer["GoMod"]).read_text(encoding="utf-8"))


def _flags(release: Release) -> tuple[str, ...]:
    linked = (*go_modules.LINK_FLAGS, *go_modules.kubernetes_stamps(release.version))
    # mod: the sums are added to a go.sum that nobody keeps, after the checksum database has confirmed them
    return ("-mod=mod", "-trimpath", "-buildvcs=false", "-ldflags", " ".join(linked))


def _build_into(final: Path, release: Release, go: go_toolchain.Go, others: Path) -> None:
    disk.need(f"building Kubernetes {release.version}", layout.cache().root, _BYTES_NEEDED)
    log = layout.cache().log("older-kubernetes")
    log.unlink(missing_ok=True)
    console.say(f"kubernetes: building {PROGRAM} {release.version} with {go.command}, about {_MINUTES} min")
    with console.Step(f"kubernetes {release.version}") as step, locking.new_directory(final) as draft:
        (draft / "go.mod").write_text(wrapper(release), encoding="utf-8")
        compiled: list[str] = []
        process.logged(
            [go.command, "build", "-v", *_flags(release), "-o", draft / PROGRAM, f"{_MODULE}/cmd/{PROGRAM}"],
            log,
            timeout=tools.BUILD_SECONDS,
            alive=lambda: step.progress(f"{len(compiled)} lines of go build so far"),
            each_line=compiled.append,
            variables=go.variables(),
            directory=draft,
        )
        for name in BESIDE:
            os.link(others / name, draft / name)
