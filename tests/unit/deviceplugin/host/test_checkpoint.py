"""The record on disk: round trip, versions, and what happens to a file that is not right."""

import dataclasses
import json
import pathlib

import pytest

from kits.manifests import domain
from neuronspan import names
from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.allocation import holdings
from neuronspan_deviceplugin.host import checkpoint

HOLDING = holdings.Holding(
    names.CORE_RESOURCE,
    domain.span("4-7"),
    12.5,
    "uid-web",
    "default",
    "web",
    "app",
    certain=True,
    started=True,
    verified=True,
)
STAMP = "20260131T090000Z"


def test_record_survives_a_round_trip() -> None:
    record = (HOLDING, holdings.Holding(names.DEVICE_RESOURCE, domain.span("0-1"), 3.0))
    assert checkpoint.decode(checkpoint.encode(record)) == record


def test_every_field_is_stored() -> None:
    stored = json.loads(checkpoint.encode((HOLDING,)))["holdings"][0]
    assert len(stored) == len(dataclasses.fields(HOLDING)) + 1  # the span is two numbers


def test_missing_file_is_an_empty_record(tmp_path: pathlib.Path) -> None:
    assert checkpoint.RecordFile(tmp_path / "deep" / "record.json").load(STAMP) == checkpoint.Loaded(())


def test_saved_record_is_loaded_and_private(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "deep" / "record.json"
    checkpoint.RecordFile(path).save((HOLDING,))
    assert checkpoint.RecordFile(path).load(STAMP).holdings == (HOLDING,)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["record.json"]


def _sealed(**fields: object) -> bytes:
    """Return a file whose checksum fits what makes no sense."""
    body = [{**HOLDING.to_dict(), **fields}]
    return json.dumps({"version": 1, "checksum": checkpoint._checksum(body), "holdings": body}).encode()


WHOLE = checkpoint.encode((HOLDING,))
FORGED = "the checksum does not fit the content"
BAD = {
    "cut short": (WHOLE[: WHOLE.rindex(b",")], "Expecting ',' delimiter"),
    "empty": (b"", "Expecting value"),
    "not JSON": (b"\xff\xfe", "JSONDecodeError"),
    "another shape": (b"[]", "list indices must be integers"),
    "a newer version": (
        WHOLE.replace(b'"version": 1', b'"version": 2'),
        "version 2 is not known, this plugin writes version 1",
    ),
    "changed by hand": (WHOLE.replace(b'"first": 4', b'"first": 5'), FORGED),
    "a span that cannot be": (_sealed(count=0), "InvalidSpan"),
    "half a holding": (_sealed(since=None), "TypeError"),
}


@pytest.mark.parametrize(("content", "why"), BAD.values(), ids=BAD.keys())
def test_bad_file_is_set_aside_whole_and_never_overwritten(tmp_path: pathlib.Path, content: bytes, why: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    record = checkpoint.RecordFile(path)
    loaded = record.load(STAMP)
    assert loaded.holdings == ()
    named, reason, way_out = loaded.problem.partition(" (")[0], loaded.problem, loaded.problem.rpartition("); ")[2]
    assert named == f"checkpoint {path} cannot be read"
    assert why in reason
    assert way_out == (
        f"it was set aside as record.json.corrupt-{STAMP}, the record is rebuilt from kubelet and the ledger"
    )
    record.save((HOLDING,))
    assert (tmp_path / f"record.json.corrupt-{STAMP}").read_bytes() == content
    assert checkpoint.RecordFile(path).load(STAMP).holdings == (HOLDING,)


def test_bad_file_that_cannot_be_moved_stops_all_saving(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(b"{")
    record = checkpoint.RecordFile(path)

    def stuck(_: pathlib.Path, __: pathlib.Path) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(pathlib.Path, "rename", stuck)
    assert "move it away by hand" in record.load(STAMP).problem
    with pytest.raises(errors.CheckpointUnwritable, match="by hand"):
        record.save((HOLDING,))
    assert path.read_bytes() == b"{"


def test_folder_that_cannot_be_written_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.CheckpointUnwritable, match="writable folder"):
        checkpoint.RecordFile(tmp_path / "file" / "record.json").save(())


def test_record_of_a_plugin_that_knew_former_ids_only_is_read_as_such() -> None:
    body = [{key: value for key, value in HOLDING.to_dict().items() if key != "former"}]
    content = json.dumps({"version": 1, "checksum": checkpoint._checksum(body), "holdings": body}).encode()
    assert checkpoint.decode(content) == (dataclasses.replace(HOLDING, former=True),)
