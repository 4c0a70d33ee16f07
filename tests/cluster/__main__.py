"""Command line of the cluster tool: every command may be given again, and failures are one sentence and exit 1."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster import (
    console,
    engine,
    environment,
    errors,
    go_modules,
    kind_cluster,
    kind_shim,
    lifecycle,
    loading,
    logs,
    older_kubernetes,
    preparation,
    product_images,
    reader_image,
    status,
    tools,
    virtual_environment,
)

DEFAULT_NAME = "neuronspan-e2e"


def parser() -> argparse.ArgumentParser:
    """The commands and what they take."""
    top = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, function: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(function=function)
        return added

    def on_cluster(name: str, function: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        added = command(name, function, text)
        default = environment.value("NEURONSPAN_CLUSTER", DEFAULT_NAME)
        added.add_argument("--name", default=default, help="the cluster's name (NEURONSPAN_CLUSTER, %(default)s)")
        return added

    where = "only print where it is, or will be"
    command("tools", _tools, "build the cluster's programs").add_argument("--path", action="store_true", help=where)
    older = command("kubernetes", _kubernetes, "build the API server of another version, for tests")
    older.add_argument("version", help="like 1.33 (its newest patch) or 1.33.13")
    venv = command("venv", _venv, "build the Python environment")
    venv.add_argument("--path", action="store_true", help=where)
    purposes = sorted(virtual_environment.PURPOSES)
    venv.add_argument("--for", dest="purpose", choices=purposes, default=virtual_environment.EVERYTHING.name)
    command("lock", lambda _: virtual_environment.lock(), "write constraints.txt anew")
    command("engine", lambda _: engine.ensure(), "start a Docker engine when none answers")
    command("actionlint", lambda _: print(tools.ensure(go_modules.ACTIONLINT)), "build the linter of workflow files")
    command("images", _images, "build the product's images")
    command("readers", _readers, "build the image of other people's programs that read Neuron's files")
    prepare = on_cluster("prepare", _prepare, "everything that the demo or the tests need, side by side")
    prepare.add_argument("target", choices=sorted(preparation.TARGETS))
    on_cluster("up", lambda options: _up(options.name), "create the cluster, or bring it back")
    on_cluster("down", lambda options: lifecycle.down(options.name), "remove the cluster")
    on_cluster("repair", lambda options: lifecycle.repair(options.name), "after nodes were restarted")
    on_cluster("status", _status, "nodes, pods and images")
    on_cluster("logs", _logs, "collect everything that explains a failure").add_argument("directory", type=Path)
    load = on_cluster("load", _load, "put images on the workers; without names, the product's")
    load.add_argument("images", nargs="*", metavar="IMAGE")
    load.add_argument("--nodes", nargs="+", default=(), help="only on these nodes")
    commands.add_parser("kind", help="stand in for kind where pytest-kind calls it")
    return top


def _tools(options: argparse.Namespace) -> None:
    print(tools.bin_directory() if options.path else tools.build())


def _kubernetes(options: argparse.Namespace) -> None:
    print(older_kubernetes.build(options.version))


def _venv(options: argparse.Namespace) -> None:
    purpose = virtual_environment.PURPOSES[options.purpose]
    print(virtual_environment.directory(purpose) if options.path else virtual_environment.build(purpose))


def _prepare(options: argparse.Namespace) -> None:
    preparation.TARGETS[options.target](options.name)


def _images(_: argparse.Namespace) -> None:
    engine.ensure()
    print(json.dumps(product_images.build_all(), indent=2))


def _readers(_: argparse.Namespace) -> None:
    engine.ensure()
    print(reader_image.build())


def _up(name: str) -> None:
    lifecycle.up(name)


def _status(options: argparse.Namespace) -> None:
    print(status.report(kind_cluster.Cluster(options.name)), end="")


def _logs(options: argparse.Namespace) -> None:
    logs.collect(kind_cluster.Cluster(options.name), options.directory)


def _load(options: argparse.Namespace) -> None:
    named: dict[str, Sequence[str]] = dict.fromkeys(options.images, ())
    loading.load(kind_cluster.Cluster(options.name), named or product_images.loadable(), options.nodes)


def main(words: Sequence[str]) -> int:
    """Run one command; the exit status."""
    # a stop by `timeout` or a CI system unwinds like an interruption: children end, drafts go
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if words[:1] == ["kind"]:
            print(kind_shim.main(words[1:]))
        else:
            options = parser().parse_args(words)
            options.function(options)
    except errors.ClusterError as error:
        console.say(str(error))
        return 1
    except KeyboardInterrupt:
        console.say("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
