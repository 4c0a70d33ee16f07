"""Files of certificates, and how they get into a TLS context.

Law: key identifiers may be missing, as Python 3.13 alone wants them and authorities of clusters (EKS) leave them out;
what proves a server, the chain to its authority and its name, is checked unless a user says insecure-skip-tls-verify.
"""

import pathlib
import ssl

from neuronspan_agent import errors, pem_files
from neuronspan_agent.connecting import entries, targets


def authority(cluster: entries.Cluster) -> bytes:
    """Return the PEM certificates of a cluster's authority, empty where the system's count; raises LoginFailed."""
    if cluster.authority_data or not cluster.authority:
        return cluster.authority_data
    return _content(cluster.authority, "certificate-authority")


def pair(user: entries.User) -> tuple[bytes, bytes]:
    """Return the PEM client certificate and key of a user, both empty without; raises LoginFailed."""
    if not user.has_certificate:
        return b"", b""
    return (
        user.certificate_data or _content(user.certificate, "client-certificate"),
        user.key_data or _content(user.key, "client-key"),
    )


def authorities(target: targets.Target) -> str | None:
    """Return the certificates of a target's authority for a TLS context, None for the system's; raises LoginFailed."""
    cluster = target.cluster
    if not (cluster.authority or cluster.authority_data):
        return None
    text = authority(cluster).decode("ascii", errors="replace")
    try:
        if not text.strip():
            raise ValueError("it is empty")  # noqa: TRY301  OpenSSL refuses all else
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        named = cluster.authority or f"in {target.source}"
        raise errors.LoginFailed(
            f"the certificate-authority {named} holds no certificate that can be used: {error}; give a PEM file"
        ) from error
    return text


def context(target: targets.Target) -> ssl.SSLContext:
    """Return how a target's server is believed, with no certificate of ours yet; raises LoginFailed."""
    made = ssl.create_default_context(cadata=authorities(target))
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if target.cluster.insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def show(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Let a context show this client certificate from now on; raises Unavailable when the two are not one pair."""
    with pem_files.holding(certificate.rstrip() + b"\n" + key) as path:
        try:
            context.load_cert_chain(path, password="")  # else OpenSSL asks on the terminal
        except (ssl.SSLError, ValueError) as error:
            way_out = "give a PEM certificate and the key that belongs to it, without a password"
            raise errors.Unavailable(f"the client certificate or its key cannot be used: {error}; {way_out}") from error


def _content(path: str, what: str) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise errors.LoginFailed(f"the {what} {path} cannot be read: {error.strerror}; give another file") from error
