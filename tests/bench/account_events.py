"""What happens to the accounts of a fanout's users: written to the ledger, then told on their
channels, as the relay does.

Each second one user in USERS_PER_EVENT has an event of an order, open loop.
"""

import time
from collections.abc import Sequence

import msgspec
import pg8000.native

from functions.shared.clock import micros, wall_now
from functions.shared.stores.valkey import open_valkey
from functions.shared.wire.events import (
    EventBody,
    FundsFacts,
    UserEvent,
    encode_event,
    user_channel,
)
from infra.local.postgres import connect
from tests.support.fanout import ORDER

#: One user in so many has an event each second.
USERS_PER_EVENT = 100

_EVENTS = """
INSERT INTO ledger.ledger_event
  SELECT a.user_id, :seq, now(), 'PLACED', 1, 0, 0, a.cash, a.held, a.borrowed, :body,
    decode(repeat('00', 32), 'hex')
  FROM ledger.account a WHERE a.user_id % :each = :turn
"""
_ACCOUNTS = """
UPDATE ledger.account SET seq = :seq, at = now() WHERE user_id % :each = :turn
  RETURNING user_id
"""


def bring_events(valkey_url: str, owner_urls: Sequence[str]) -> None:
    """Until the process is killed. A second that comes late is followed by the next at its time."""
    shards = [connect(url) for url in owner_urls]
    valkey = open_valkey(valkey_url)
    started, second = time.monotonic(), 0
    while True:
        time.sleep(max(0.0, started + second - time.monotonic()))
        seq, turn = 1 + second // USERS_PER_EVENT, second % USERS_PER_EVENT
        funds = FundsFacts(cash=100, held=0, borrowed=0, unsettled=0, blocked=0, seq=seq)
        body = EventBody(funds=funds, order=ORDER)
        users = [user for shard in shards for user in _book(shard, body, seq, turn)]
        at, pipeline = micros(wall_now()), valkey.pipeline(transaction=False)
        for user in users:
            event = UserEvent(user_id=user, user_seq=seq, kind="PLACED", at=at, body=body)
            pipeline.spublish(user_channel(user), encode_event(event))
        pipeline.execute()
        second += 1


def _book(shard: pg8000.native.Connection, body: EventBody, seq: int, turn: int) -> list[int]:
    """The users of a shard whose turn it is; each has one event more."""
    text = msgspec.json.encode(body).decode()
    shard.run("BEGIN")
    shard.run(_EVENTS, seq=seq, body=text, each=USERS_PER_EVENT, turn=turn)
    moved = shard.run(_ACCOUNTS, seq=seq, each=USERS_PER_EVENT, turn=turn)
    shard.run("COMMIT")
    return [user for (user,) in moved]
