"""Certificate authorities of tests, whose certificates are as wrong as a test wants them.

Without key identifiers unless asked for, as those of some clusters are; Python 3.13 refuses such by default.
"""

import datetime as dt
import ipaddress
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

DAY = dt.timedelta(days=1)


class Authority:
    """An authority with its files in a folder of its own."""

    def __init__(self, folder: pathlib.Path, *, identifiers: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._identifiers = identifiers
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"authority {folder.name}")
        self.certificate = folder / "ca.pem"
        """The file with its own certificate."""
        made = self._builder(self._name, self._key.public_key(), dt.datetime.now(dt.UTC) - 3 * DAY, 9 * DAY)
        made = made.issuer_name(self._name)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(_PEM))

    def issued(
        self,
        *names: str,
        common_name: str = "server",
        groups: tuple[str, ...] = (),
        expired: bool = False,
        own: bool = False,
    ) -> tuple[pathlib.Path, pathlib.Path]:
        """Issue a certificate for names like `DNS:localhost` and `IP:127.0.0.1`; returns its file and its key's.

        ``expired``: it was good until an hour ago. ``own``: it is signed by its own key, so by nobody else. A client's
        certificate says user and groups as Kubernetes reads them.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        start = dt.datetime.now(dt.UTC) - 2 * DAY
        subject = _name(common_name, *groups)
        made = self._builder(subject, key.public_key(), start, 2 * DAY - DAY / 24 if expired else 4 * DAY)
        made = made.issuer_name(subject) if own else made.issuer_name(self._name)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
        signed = made.sign(key if own else self._key, hashes.SHA256())
        stem = f"{len(list(self._folder.iterdir()))}"
        certificate, private = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        certificate.write_bytes(signed.public_bytes(_PEM))
        private.write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, private

    def serving(self, *names: str, expired: bool = False, own: bool = False) -> ssl.SSLContext:
        """Return what a server with these names needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issued(*names, expired=expired, own=own))
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, start: dt.datetime, valid: dt.timedelta
    ) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder(
            issuer_name=None,
            subject_name=subject,
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=start,
            not_valid_after=start + valid,
        )
        if self._identifiers:
            made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            made = made.add_extension(signer, critical=False)
        return made


_PEM = serialization.Encoding.PEM


def _name(common_name: str, *groups: str) -> x509.Name:
    parts = [x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(oid.NameOID.COMMON_NAME, common_name)])


def _general(name: str) -> x509.GeneralName:
    kind, _, value = name.partition(":")
    return x509.IPAddress(ipaddress.ip_address(value)) if kind == "IP" else x509.DNSName(value)
