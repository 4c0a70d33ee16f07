"""The identity that new connections meet: swapped while the server runs, none of the open ones ends for it."""

import pathlib
import ssl

from neuronspan_agent import pem_files
from neuronspan_operator import errors


def context(certificate: str, key: str) -> ssl.SSLContext:
    """Return what a server with this certificate speaks TLS with; raises BrokenCertificate."""
    made = _blank()
    with pem_files.holding(f"{key}\n{certificate}".encode()) as path:
        return _loaded(made, pathlib.Path(path), None)


def context_of_files(certificate: pathlib.Path, key: pathlib.Path) -> ssl.SSLContext:
    """Return the same for files that somebody else writes; raises BrokenCertificate, also when they are not there."""
    return _loaded(_blank(), certificate, key)


class ServedIdentity:
    """What the server is created with, and the place of the context that each handshake takes."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None
        self.door = _blank()
        self.door.sni_callback = self._take  # called in each handshake, also without a name

    def serve(self, made: ssl.SSLContext) -> None:
        """Have handshakes from now on take this one."""
        self._context = made

    @property
    def is_there(self) -> bool:
        """Whether a handshake can succeed."""
        return self._context is not None

    def _take(self, connection: ssl.SSLObject, _name: str | None, _door: ssl.SSLContext) -> int | None:
        if self._context is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._context
        return None


def _blank() -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def _loaded(made: ssl.SSLContext, certificate: pathlib.Path, key: pathlib.Path | None) -> ssl.SSLContext:
    try:
        made.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise errors.BrokenCertificate(f"certificate {certificate} and its key cannot be used: {error}") from error
    return made
