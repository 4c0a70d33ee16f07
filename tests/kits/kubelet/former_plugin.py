"""The plugin of before IDs were plain numbers, as far as kubelet and the record of holders can tell it from today's."""

import contextlib
import json
import pathlib
from collections.abc import Iterable, Iterator

import pytest

from kits.world import simulated_node
from neuronspan import device_ids, instance_types, spans
from neuronspan_deviceplugin.host import checkpoint


@contextlib.contextmanager
def speaking() -> Iterator[None]:
    """Let every plugin in this process list and prefer former IDs."""
    present = device_ids.ids_of

    def former(
        resource: str, span: spans.CoreSpan, hardware: instance_types.Hardware, kept: Iterable[str] = ()
    ) -> tuple[str, ...]:
        kept_ones = [each for each in kept if device_ids.is_former(each)]
        assert kept_ones == list(kept), "kubelet knows former IDs only"
        return tuple(simulated_node.former_id(resource, each) for each in present(resource, span, hardware))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_ids, "ids_of", former)
        yield


def unmark(record: pathlib.Path) -> None:
    """Make a record what the former plugin wrote: nothing in it says which IDs are meant."""
    held = [each.to_dict() for each in checkpoint.decode(record.read_bytes())]
    body = [{key: value for key, value in each.items() if key != "former"} for each in held]
    sealed = {"version": checkpoint.VERSION, "checksum": checkpoint._checksum(body), "holdings": body}
    record.write_text(json.dumps(sealed))
