"""A word that cannot be said concerns nothing else, so a test would not see it: here each such failure is one."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _nothing_fails_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert "not told" not in [record.message for record in caplog.get_records("call")]
