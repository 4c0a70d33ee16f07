"""What kopf is told. That its handlers do their work is shown against a real API server."""

import pytest

from neuronspan_operator import handlers, kube

CREDENTIALS = kube.Credentials("https://api", "/ca", "secret", None, None, insecure=False)


def test_connection_carries_the_same_identity() -> None:
    info = handlers.connection(CREDENTIALS)
    assert (info.server, info.ca_path, info.insecure) == ("https://api", "/ca", False)
    assert info.as_http_headers() == {"Authorization": "Bearer secret"}


def test_connection_works_with_a_client_certificate() -> None:
    certificate = kube.Credentials("https://api", "/ca", None, "/cert", "/key", insecure=False)
    info = handlers.connection(certificate)
    assert (info.certificate_path, info.private_key_path) == ("/cert", "/key")
    assert info.as_http_headers() == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (handlers.settings("me").persistence.finalizer, "neuronspan.dev/finalizer"),
        (handlers.settings("me").peering.standalone, True),
        (handlers.settings("me").scanning.disabled, True),
        (handlers.settings("me").posting.reporting_instance, "me"),
    ],
    ids=["finalizer", "no-peering", "no-scanning", "instance"],
)
def test_settings_are_ours(value: object, expected: object) -> None:
    assert value == expected


def test_settings_leave_no_annotation_of_kopfs_own_name() -> None:
    storage = handlers.settings("me").persistence
    assert getattr(storage.progress_storage, "prefix", "") == "kopf.neuronspan.dev"
    assert getattr(storage.diffbase_storage, "prefix", "") == "kopf.neuronspan.dev"
