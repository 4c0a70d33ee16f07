"""The certificate of a server on the loopback interface: its own authority, made anew each time and stored nowhere.

kubectl sends a token over TLS only.
"""

import datetime as dt
import ipaddress
import pathlib
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

_NAME = "neuronspan embedded API server"
_DAYS = 30
_MINUTES_BEFORE = 5


def made(host: str, now: dt.datetime) -> tuple[str, ssl.SSLContext]:
    """Return the certificate that clients are to trust, as PEM, and what a server on this address speaks TLS with."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, host, now)
    authority = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile() as file:  # ssl reads keys from files alone; this one only its owner may read
        file.write(secret + authority)
        file.flush()
        context.load_cert_chain(pathlib.Path(file.name))
    return authority.decode(), context


def _certificate(key: ec.EllipticCurvePrivateKey, host: str, now: dt.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, _NAME)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=_MINUTES_BEFORE))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(usage, critical=True)
    )
    return builder.sign(key, hashes.SHA256())
