"""What the command line asks for. Pure."""

import re

import click

from neuronspan import errors, instance_types

MOST_NODES = 64
"""Each node has a kubelet and a plugin with three servers in this process: more only make it slow."""
_COUNT = re.compile(r"[1-9][0-9]{0,3}")


def nodes(text: str) -> list[str]:
    """Return the instance types of nodes, from ``trn1.32xlarge=2,inf2.48xlarge``; raises click.BadParameter."""
    found: list[str] = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, count = (each.strip() for each in part.partition("="))
        if "=" in part and not _COUNT.fullmatch(count):
            raise click.BadParameter(f"{part}: the number of nodes is {count!r}, write it like {name}=2")
        try:
            instance_types.hardware_of(name)
        except (errors.InvalidHardware, errors.UnknownInstanceType) as error:
            raise click.BadParameter(str(error)) from error
        found += [name] * int(count or 1)
    if not found:
        raise click.BadParameter("no node is named: write them like trn1.32xlarge=2,inf2.48xlarge")
    if len(found) > MOST_NODES:
        raise click.BadParameter(f"{len(found)} nodes are asked for: an embedded cluster has at most {MOST_NODES}")
    return found
