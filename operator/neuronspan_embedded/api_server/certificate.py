"""The certificate of a server on the loopback interface: its own authority, made anew each time and stored nowhere.

kubectl sends a token over TLS only.
"""

import datetime as dt
import ssl

from neuronspan_operator.webhook import handshakes, issuing

_NAME = "neuronspan embedded API server"


def made(host: str, now: dt.datetime) -> tuple[str, ssl.SSLContext]:
    """Return the certificate that clients are to trust, as PEM, and what a server on this address speaks TLS with."""
    identity = issuing.issue(_NAME, [host], now)
    return identity.authority, handshakes.context(identity.certificate, identity.key)
