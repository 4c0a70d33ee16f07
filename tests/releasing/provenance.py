"""Who made a release from what: an in-toto statement with a SLSA provenance. Pure."""

import dataclasses
from collections.abc import Mapping
from typing import Any

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://neuronspan.dev/make-release/v1"


@dataclasses.dataclass(frozen=True)
class Source:
    """The commit that is released."""

    commit: str
    created: str
    version: str


def statement(source: Source, products: Mapping[str, str], materials: Mapping[str, str]) -> dict[str, Any]:
    """Return the statement about ``products`` (sha256 by file name), made of ``materials`` (sha256 by name)."""
    dependencies = [{"uri": "git+neuronspan", "digest": {"gitCommit": source.commit}}]
    dependencies += [{"uri": name, "digest": {"sha256": value}} for name, value in sorted(materials.items())]
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": value}} for name, value in sorted(products.items())],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"target": "release", "version": source.version},
                "internalParameters": {"created": source.created},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": "make release"}},
        },
    }
