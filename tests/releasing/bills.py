"""The bill of materials of an image or of the chart, as CycloneDX. Pure: no clock, no random number."""

import datetime as dt
import uuid
from collections.abc import Iterable

import packageurl
from cyclonedx import output, schema
from cyclonedx.model import bom, component

NAMESPACE = uuid.UUID("9b8ad9b0-5f0b-5a3b-8f6f-0d3b3f3c7a11")


def python_package(name: str, version: str) -> component.Component:
    """Return a package of the Python package index."""
    return _library(packageurl.PackageURL("pypi", None, name, version))


def debian_package(name: str, version: str, architecture: str) -> component.Component:
    """Return a package of Debian."""
    return _library(packageurl.PackageURL("deb", "debian", name, version, {"arch": architecture}))


def container(name: str, version: str, digest: str) -> component.Component:
    """Return an image of ours by its digest, as the chart uses it."""
    kind = component.ComponentType.CONTAINER
    url = packageurl.PackageURL("oci", None, name, digest)
    return component.Component(name=name, version=version, type=kind, purl=url, bom_ref=str(url))


def text(subject: str, version: str, created: dt.datetime, parts: Iterable[component.Component]) -> str:
    """Return the bill as JSON; its serial number follows from what it is about."""
    bill = bom.Bom(components=parts, serial_number=uuid.uuid5(NAMESPACE, f"{subject} {version} {created.isoformat()}"))
    bill.metadata.timestamp = created
    kind = component.ComponentType.APPLICATION
    bill.metadata.component = component.Component(name=subject, version=version, type=kind, bom_ref=subject)
    bill.register_dependency(bill.metadata.component, bill.components)
    maker = output.make_outputter(bill, schema.OutputFormat.JSON, schema.SchemaVersion.V1_6)
    return maker.output_as_string(indent=2) + "\n"


def _library(url: packageurl.PackageURL) -> component.Component:
    kind = component.ComponentType.LIBRARY
    return component.Component(name=url.name, version=url.version, type=kind, purl=url, bom_ref=str(url))
