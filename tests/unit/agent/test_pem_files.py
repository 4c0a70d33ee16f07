"""What ssl reads from a file: without a directory where the system can, and gone afterwards."""

import os
import pathlib
import tempfile
from typing import NoReturn

import pytest

from neuronspan_agent import pem_files


def refuse(**_: object) -> NoReturn:
    """What tempfile says where the root is read-only."""
    raise FileNotFoundError("No usable temporary directory found")


def test_no_directory_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    with pem_files.holding(b"PEM") as path:
        assert pathlib.Path(path).read_bytes() == b"PEM"


@pytest.mark.parametrize("in_memory", [True, False])
def test_file_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch, *, in_memory: bool) -> None:
    if not in_memory:  # as on macOS
        monkeypatch.delattr(os, "memfd_create")
    with pem_files.holding(b"PEM") as path:
        file = pathlib.Path(path)
        assert file.read_bytes() == b"PEM"
        assert in_memory or file.stat().st_mode & 0o077 == 0
    assert not file.exists()
