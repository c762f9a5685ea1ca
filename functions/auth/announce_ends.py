"""The sessions that a changed factor has ended, made known to copies and sockets of theirs.

Invariant: they have ended in the ledger, and an intervention says so until this is done. Failing
here undoes nothing and is no failure of the change: the schedule that carries interventions out
(functions/audit/carry_out.py) makes them known within a minute.
"""

from functions.shared.access.factors import Ends
from functions.shared.access.interventions import finish
from functions.shared.access.sessions import Sessions
from functions.shared.domain.errors import Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger


def announce_ends(stores: Stores, ends: Ends) -> None:
    """Makes them known now, if that can be done now."""
    try:
        Sessions(stores.shards.control, stores.valkey).announce_ends(ends.session_ids)
        finish(stores.shards, ends.audit_id, None)
    except Retryable as error:
        logger().warning("ends left to the schedule", entry=ends.audit_id, why=str(error))
