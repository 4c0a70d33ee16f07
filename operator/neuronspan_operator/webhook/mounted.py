"""The certificate that cert-manager, or the owner of a Secret, keeps in files. It is read again when it changes."""

import asyncio
import logging
import pathlib

from neuronspan_operator import errors
from neuronspan_operator.webhook import handshakes, identities

_log = logging.getLogger(__name__)

ROUND_SECONDS = 10.0
"""From one look at the files to the next; kubelet itself takes up to a minute to bring a changed Secret into a pod."""


class Files:
    """The files ``tls.crt`` and ``tls.key`` of one directory. ``run`` is a part of the process."""

    def __init__(self, directory: pathlib.Path, served: handshakes.ServedIdentity) -> None:
        self._certificate = directory / identities.CERTIFICATE
        self._key = directory / identities.KEY
        self._served = served
        self._seen: tuple[bytes, bytes] | None = None
        self.problem = "no certificate yet"
        self._told = ""

    async def run(self) -> None:
        """Look at the files every few seconds, for ever."""
        while True:
            self.look()
            await asyncio.sleep(ROUND_SECONDS)

    def look(self) -> None:
        """Serve what is in the files when it changed; what cannot be used leaves the last one in place."""
        try:
            content = self._certificate.read_bytes(), self._key.read_bytes()
            if content != self._seen:
                self._served.serve(handshakes.context_of_files(self._certificate, self._key))
                self._seen = content
                _log.info("serving a certificate", extra={"file": str(self._certificate)})
            self.problem = self._told = ""
        except (OSError, errors.BrokenCertificate) as error:
            self.problem = "" if self._served.is_there else f"the certificate of the webhook cannot be read: {error}"
            if str(error) != self._told:
                self._told = str(error)
                _log.warning(
                    "the certificate was not read", extra={"file": str(self._certificate), "error": self._told}
                )
