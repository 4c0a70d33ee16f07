"""Certificates in files, as kubelet changes them: a link is swapped, and for a moment they may not fit together."""

import datetime as dt
import logging
import pathlib
import ssl

import pytest

from neuronspan_operator.webhook import handshakes, issuing, mounted

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


class Served(handshakes.ServedIdentity):
    """Remembers what it was told to serve."""

    def __init__(self) -> None:
        super().__init__()
        self.contexts: list[ssl.SSLContext] = []

    def serve(self, made: ssl.SSLContext) -> None:
        self.contexts.append(made)
        super().serve(made)


def write(folder: pathlib.Path, *, key_of_another: bool = False) -> None:
    made, other = (issuing.issue("x", ["a"], NOW) for _ in range(2))
    (folder / "tls.crt").write_text(made.certificate)
    (folder / "tls.key").write_text(other.key if key_of_another else made.key)


def test_files_are_served_and_read_again_when_they_change(tmp_path: pathlib.Path) -> None:
    served = Served()
    files = mounted.Files(tmp_path, served)
    write(tmp_path)
    files.look()
    files.look()
    assert (len(served.contexts), files.problem) == (1, "")
    write(tmp_path)
    files.look()
    assert (len(served.contexts), files.problem) == (2, "")


def test_what_does_not_fit_together_leaves_the_last_certificate_in_place(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = Served()
    files = mounted.Files(tmp_path, served)
    write(tmp_path)
    files.look()
    write(tmp_path, key_of_another=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            files.look()
    assert (len(served.contexts), served.is_there, files.problem) == (1, True, "")
    assert [each.getMessage() for each in caplog.records] == ["the certificate was not read"]
    write(tmp_path)
    files.look()
    assert len(served.contexts) == 2


def test_missing_files_are_said(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    served = Served()
    files = mounted.Files(tmp_path, served)
    assert files.problem == "no certificate yet"
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            files.look()
    assert "tls.crt" in files.problem
    assert not served.is_there
    assert len(caplog.records) == 1
