import datetime as dt
import json
from pathlib import Path

import pytest

from cluster import errors
from releasing import bills, provenance, pushing, wheels

TIME = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
HASHED = "aiohttp==3.14.5 ; python_full_version < '4' \\\n    --hash=sha256:00\nkopf==1.45.0 \\\n    --hash=sha256:11\n"


def test_pins_are_read_without_markers_and_hashes() -> None:
    assert wheels.pins(HASHED) == (("aiohttp", "3.14.5"), ("kopf", "1.45.0"))


def test_bill_is_the_same_each_time_and_names_its_parts() -> None:
    texts = {
        bills.text("x", "1", TIME, [bills.python_package("kopf", "1"), bills.debian_package("libc6", "2", "arm64")])
        for _ in range(3)
    }
    (bill,) = map(json.loads, texts)
    assert {part["purl"] for part in bill["components"]} == {"pkg:pypi/kopf@1", "pkg:deb/debian/libc6@2?arch=arm64"}


def test_provenance_names_products_and_what_they_were_made_of() -> None:
    source = provenance.Source("c0ffee", "1767312000", "1.2.3")
    document = provenance.statement(source, {"image.tar": "aa"}, {"deb/libc6": "bb"})
    assert document["subject"] == [{"name": "image.tar", "digest": {"sha256": "aa"}}]
    commit, material = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert commit["digest"] == {"gitCommit": "c0ffee"}
    assert material == {"uri": "deb/libc6", "digest": {"sha256": "bb"}}


def test_pushing_without_a_release_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(errors.ClusterError, match="run `make release` first"):
        pushing.push(tmp_path / "none", "host", tmp_path, tmp_path)
