"""What a webhook server proves itself with, and what of it is kept in a Secret. Pure.

Each authority signs one certificate, and its key is forgotten: whoever reads the Secret can be this server, and can
sign for no other name.
"""

import base64
import binascii
import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping

from neuronspan_operator import errors

AUTHORITY = "ca.crt"
CERTIFICATE = "tls.crt"
KEY = "tls.key"
_NEXT = "next-"
FORMER_AUTHORITY = "former-ca.crt"
EARLY = dt.timedelta(hours=1)
"""Certificates are valid from so long before they are made: clocks differ."""


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key and the authority that signed it, as PEM; ``issuing`` makes and reads them."""

    authority: str
    certificate: str
    key: str = dataclasses.field(repr=False)  # never in a log
    names: frozenset[str]
    made: dt.datetime
    ends: dt.datetime

    def serves(self, names: frozenset[str], now: dt.datetime) -> bool:
        """Whether clients that ask for any of these names accept it now."""
        return names <= self.names and self.made - EARLY <= now < self.ends

    def age(self, now: dt.datetime) -> float:
        """Return how much of its life is over, from 0 to 1."""
        return (now - self.made) / (self.ends - self.made)


@dataclasses.dataclass(frozen=True, slots=True)
class Book:
    """What the replicas agree on: who they are, who they will be, and whom API servers may still meet."""

    current: Identity | None = None
    following: Identity | None = None
    former: str = ""
    """The authority of the identity before the current one; replicas may serve that one for a moment."""

    @property
    def trusted(self) -> str:
        """Return the authorities that API servers are to trust, as PEM, in an order of their own."""
        known = [each.authority for each in (self.current, self.following) if each is not None]
        return "".join(sorted({*known, *([self.former] if self.former else [])}))


Read = Callable[[str, str, str], Identity]
"""Reads authority, certificate and key; raises BrokenCertificate."""
IsAuthority = Callable[[str], bool]
"""Tells whether this PEM is a certificate."""


def to_secret(book: Book) -> dict[str, str]:
    """Return the ``data`` of the Secret."""
    texts = {FORMER_AUTHORITY: book.former}
    for prefix, identity in (("", book.current), (_NEXT, book.following)):
        if identity is not None:
            parts = {AUTHORITY: identity.authority, CERTIFICATE: identity.certificate, KEY: identity.key}
            texts |= {f"{prefix}{name}": text for name, text in parts.items()}
    return {name: base64.b64encode(text.encode()).decode() for name, text in texts.items() if text}


def from_secret(data: Mapping[str, str], read: Read, is_authority: IsAuthority) -> Book:
    """Return what of the Secret can be used; what is broken or does not belong together is left out."""

    def part(prefix: str) -> Identity | None:
        try:
            return read(*(_text(data, f"{prefix}{name}") for name in (AUTHORITY, CERTIFICATE, KEY)))
        except errors.BrokenCertificate:
            return None

    former = _text(data, FORMER_AUTHORITY)
    return Book(part(""), part(_NEXT), former if is_authority(former) else "")


def _text(data: Mapping[str, str], name: str) -> str:
    try:
        return base64.b64decode(data.get(name) or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
