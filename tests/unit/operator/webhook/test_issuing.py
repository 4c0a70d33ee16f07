"""Certificates as strict clients want them, and what of others is not believed."""

import datetime as dt
import pathlib
import socket
import ssl
import subprocess
import threading

import pytest

from neuronspan_operator import errors
from neuronspan_operator.webhook import handshakes, identities, issuing

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 123456, dt.UTC)
NAMES = ("webhook.neuronspan.svc", "127.0.0.1", "fd00::1")


def issued(*names: str, now: dt.datetime = NOW) -> identities.Identity:
    return issuing.issue("neuronspan-webhook", names or NAMES, now)


def parts_of(identity: identities.Identity) -> dict[str, str]:
    return {"authority": identity.authority, "certificate": identity.certificate, "key": identity.key}


def test_what_is_read_back_equals_what_was_made() -> None:
    made = issued()
    assert issuing.read(made.authority, made.certificate, made.key) == made
    assert made.names == frozenset(NAMES)


def test_life_begins_before_it_is_made_and_ends_after_ninety_days() -> None:
    made = issued()
    assert made.made == dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
    assert made.serves(frozenset(NAMES), NOW - dt.timedelta(minutes=59))
    assert not made.serves(frozenset(NAMES), NOW - dt.timedelta(minutes=61))
    assert made.ends == dt.datetime(2026, 5, 30, 12, 0, 0, tzinfo=dt.UTC)


def test_long_program_name_fits_a_common_name() -> None:
    assert issuing.issue("x" * 200, NAMES, NOW).serves(frozenset(NAMES), NOW)


def test_key_is_in_no_representation() -> None:
    made = issued()
    assert "PRIVATE" not in repr(made)
    assert "PRIVATE" not in repr(identities.Book(made))


@pytest.mark.parametrize("part", ["authority", "certificate", "key"])
@pytest.mark.parametrize("text", ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ü"])
def test_broken_part_is_refused(part: str, text: str) -> None:
    parts = {**parts_of(issued()), part: text}
    with pytest.raises(errors.BrokenCertificate):
        issuing.read(**parts)


@pytest.mark.parametrize("part", ["authority", "certificate", "key"])
def test_part_of_another_identity_is_refused(part: str) -> None:
    parts = {**parts_of(issued()), part: parts_of(issued())[part]}
    with pytest.raises(errors.BrokenCertificate):
        issuing.read(**parts)


def test_certificate_that_signs_others_has_to_be_an_authoritys() -> None:
    made = issued()
    with pytest.raises(errors.BrokenCertificate):
        issuing.read(made.certificate, made.certificate, made.key)


def test_certificate_without_names_is_refused(tmp_path: pathlib.Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    output = ["-subj", "/CN=x", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *output], check=True, capture_output=True)
    with pytest.raises(errors.BrokenCertificate, match="extension"):
        issuing.read(certificate.read_text(), certificate.read_text(), key.read_text())


def shaken(served: handshakes.ServedIdentity, trusted: str, name: str) -> None:
    """Shake hands with a strict client that trusts this authority and asks for this name; raises ssl.SSLError."""
    client = ssl.create_default_context(cadata=trusted)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    ours.settimeout(1)
    theirs.settimeout(1)

    def serve() -> None:
        try:
            with served.door.wrap_socket(theirs, server_side=True):
                pass
        except OSError:  # the client's half says what was wrong
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as connection:
            assert connection.version() == "TLSv1.3"
    finally:
        ours.close()
        thread.join()


def test_strict_client_accepts_every_name() -> None:
    now = dt.datetime.now(dt.UTC)
    made, served = issued(now=now), handshakes.ServedIdentity()
    served.serve(handshakes.context(made.certificate, made.key))
    for name in NAMES:
        shaken(served, made.authority, name)


def test_strict_client_refuses_another_name_and_another_authority() -> None:
    now = dt.datetime.now(dt.UTC)
    made, served = issued(now=now), handshakes.ServedIdentity()
    served.serve(handshakes.context(made.certificate, made.key))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shaken(served, made.authority, "other.neuronspan.svc")
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(served, issued(now=now).authority, NAMES[0])


def test_next_handshake_meets_the_next_identity() -> None:
    now = dt.datetime.now(dt.UTC)
    first, second, served = issued(now=now), issued(now=now), handshakes.ServedIdentity()
    with pytest.raises(ssl.SSLError, match=r"(?i)internal.error"):
        shaken(served, first.authority, NAMES[0])
    for made in (first, second):
        served.serve(handshakes.context(made.certificate, made.key))
        assert served.is_there
        shaken(served, made.authority, NAMES[0])


def test_context_refuses_what_does_not_belong_together() -> None:
    with pytest.raises(errors.BrokenCertificate, match="cannot be used"):
        handshakes.context(issued().certificate, issued().key)
