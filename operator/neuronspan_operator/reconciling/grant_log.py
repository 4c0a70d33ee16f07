"""What a stored ledger means for each grant, as log lines that a search by pod, node or grant finds."""

import logging

from neuronspan import ledger
from neuronspan_agent import logs

_log = logging.getLogger(__name__)


def stored(node: str, before: ledger.Ledger | None, now: ledger.Ledger) -> None:
    """Log every grant that came, changed or went."""
    old = {grant.key: grant for grant in before.grants} if before is not None else {}
    new = {grant.key: grant for grant in now.grants}
    for key, grant in new.items():
        if old.get(key) != grant:
            _log.info("grant stored", extra={"node": node, **logs.of_grant(grant)})
    for key, grant in old.items():
        if key not in new:
            _log.info("grant dropped", extra={"node": node, **logs.of_grant(grant)})
