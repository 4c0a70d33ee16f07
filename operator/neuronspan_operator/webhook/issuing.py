"""The only door to cryptography: makes and reads certificates. Raises BrokenCertificate; decides nothing.

ECDSA on P-256, which every client of TLS 1.2 knows, and with the key identifiers that RFC 5280 wants: strict clients
(Python 3.13) refuse certificates without them.
"""

import contextlib
import datetime as dt
import ipaddress
from collections.abc import Iterable, Iterator

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from neuronspan_operator import errors
from neuronspan_operator.webhook import identities

LIFE = dt.timedelta(days=90)
_NAME_LENGTH = 64  # of a common name, RFC 5280


def issue(program: str, names: Iterable[str], now: dt.datetime, life: dt.timedelta = LIFE) -> identities.Identity:
    """Return a new identity for these host names and addresses, signed by an authority that signs nothing else."""
    made, ends = _seconds(now), _seconds(now + life)
    sorted_names = sorted(names)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = _name(f"{program} authority")
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), made, ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(_key_identifier(authority_key), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        _builder(_name(program), authority_name, key.public_key(), made, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(each) for each in sorted_names]), critical=False)
        .add_extension(_key_identifier(key), critical=False)
        .add_extension(_signer_identifier(authority_key), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return identities.Identity(_pem(authority), _pem(certificate), secret.decode(), frozenset(sorted_names), made, ends)


def read(authority: str, certificate: str, key: str) -> identities.Identity:
    """Return the identity of these PEM texts; raises BrokenCertificate when they are none or do not belong together."""
    with _converted():
        signer = x509.load_pem_x509_certificate(authority.encode())
        signed = x509.load_pem_x509_certificate(certificate.encode())
        secret = serialization.load_pem_private_key(key.encode(), password=None)
        if secret.public_key() != signed.public_key():
            raise errors.BrokenCertificate("the key is not that of the certificate")
        if not signer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise errors.BrokenCertificate("the certificate that is to sign others is not an authority's")
        signed.verify_directly_issued_by(signer)
        found = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = {*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))}
        made = max(signer.not_valid_before_utc, signed.not_valid_before_utc) + identities.EARLY
        ends = min(signer.not_valid_after_utc, signed.not_valid_after_utc)
        if made >= ends:
            raise errors.BrokenCertificate("authority and certificate are never valid together")
        return identities.Identity(authority, certificate, key, frozenset(names), made, ends)


def is_certificate(text: str) -> bool:
    """Whether this PEM is a certificate."""
    try:
        x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        return False
    return True


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, made: dt.datetime, ends: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(made - identities.EARLY)
        .not_valid_after(ends)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, text[:_NAME_LENGTH])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _key_identifier(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _signer_identifier(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(_key_identifier(key))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _seconds(time: dt.datetime) -> dt.datetime:
    """Certificates know whole seconds; what is read back equals what was made."""
    return time.astimezone(dt.UTC).replace(microsecond=0)


@contextlib.contextmanager
def _converted() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, exceptions.InvalidSignature, exceptions.UnsupportedAlgorithm) as error:
        raise errors.BrokenCertificate(f"cannot be read: {error!r}") from error
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.InvalidVersion) as error:
        raise errors.BrokenCertificate(f"is not of the expected form: {error!r}") from error
