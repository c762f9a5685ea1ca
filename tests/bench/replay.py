"""`replay`: events a second that `outcry ledger verify` hashes and works out again, on one core.

The log is the product's own: its events weigh what an order's do. Both figures are by the
verifier's own processor time, since PostgreSQL streams from another processor and others may be
busy; `wall_per_second` is what this machine made of it. Baseline in the same run: the same checks
on rows that the driver fetches and decodes one by one.
"""

import hashlib
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pg8000.native

from infra.command.event_log import Walk, walk_log
from infra.command.rebuild_ledger import rebuild_shard
from infra.command.report import Report
from infra.command.verify_ledger import connect
from tests.bench.fsync import measure_fsync
from tests.bench.servers import durable_postgres

USERS = 20
EVENTS_A_USER = 3_000
PAGE = 5_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MAKE = """
DO $$ DECLARE a ledger.account; o ledger.orders; v_facts text; BEGIN
  o.client_order_id := 'bench-123456'; o.symbol := 'INFY'; o.side := 'BUY'; o.type := 'LIMIT';
  o.quantity := 10; o.price := 15000000; o.product := 'CNC'; o.validity := 'DAY';
  o.trade_date := '2026-07-10'; o.reserved := 1501500; o.margin_rate := 1000000000;
  o.limit_price := 15000000; o.request := 0; o.accepted_request := 0;
  o.status := 'FILLED'; o.filled_quantity := 0; o.traded_value := 0; o.version := 1;
  o.created_at := now(); o.updated_at := now();
  FOR u IN 1..{users} LOOP
    PERFORM ledger.open_account(u, now());
    SELECT * INTO a FROM ledger.account WHERE user_id = u;
    FOR i IN 1..{events} LOOP
      o.order_id := 1000000000000 + i;
      v_facts := ledger.order_facts(o)::text;
      a := ledger.append_event(a, 'ORDER_PLACED', o.order_id, 100, 0, 0, now(),
        '"order":' || v_facts || ',"context":{{"bid":14999500,"ask":15000500,"ltp":15000000}}',
        'INFY', NULL);
    END LOOP;
  END LOOP;
END $$
"""
_ROWS = """
SELECT user_id, seq, at, kind, ref, cash_change, held_change, cash, held, borrowed, body, hash
FROM ledger.ledger_event WHERE (user_id, seq) > (:user::bigint, :seq::bigint)
ORDER BY user_id, seq LIMIT :page
"""


def _verified(connection: pg8000.native.Connection) -> int:
    faults: list[tuple[str, int, int, str]] = []
    walk = Walk(lambda *fault: faults.append(fault))
    walk_log(connection, walk)
    if faults:
        raise RuntimeError(faults[0])
    return walk.events


def _rebuilt(connection: pg8000.native.Connection) -> int:
    report = Report()
    rebuild_shard(connection, 0, report, dict.fromkeys(range(64), 0))
    if not report.ok:
        raise RuntimeError(report.problems[0])
    return report.checked["events"]


def _row_by_row(connection: pg8000.native.Connection) -> int:
    count, user, seq = 0, -1, 0
    head, cash, held = b"", 0, 0
    while page := connection.run(_ROWS, user=user, seq=seq, page=PAGE):
        for row in page:
            if row[0] != user:
                head, cash, held = hashlib.sha256(struct.pack(">q", row[0])).digest(), 0, 0
            user, seq, at, kind, ref, cash_change, held_change = row[:7]
            micros = (at - _EPOCH) // timedelta(microseconds=1)
            place = struct.pack(">qqqh", user, seq, micros, len(kind))
            state = struct.pack(">qqqqqq", ref or 0, cash_change, held_change, *row[7:10])
            head = hashlib.sha256(head + place + kind.encode() + state + row[10].encode()).digest()
            cash, held = cash + cash_change, held + held_change
            if (head, cash, held) != (row[11], row[7], row[8]):
                raise RuntimeError(f"user {user} seq {seq}")
            count += 1
    return count


def _rate(
    work: Callable[[pg8000.native.Connection], int], url: str, seconds: float
) -> tuple[float, float]:
    """Events a second of this process's own time, and of the wall's."""
    connection = connect(url)
    events, started, spent = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        events += work(connection)
    taken, own = time.perf_counter() - started, time.process_time() - spent
    connection.close()
    return events / own, events / taken


def run(seconds: float) -> dict[str, object]:
    fsync = measure_fsync()
    with durable_postgres() as server:
        url = server.owner_urls[0]
        owner = connect(url)
        owner.run(_MAKE.format(users=USERS, events=EVENTS_A_USER))
        owner.run("VACUUM ANALYZE ledger.ledger_event")
        owner.close()
        verified, wall = _rate(_verified, url, seconds)
        baseline, _ = _rate(_row_by_row, url, seconds)
        rebuilt, _ = _rate(_rebuilt, url, seconds)
    return {
        "name": "replay",
        "figure": round(verified, 1),
        "unit": "events/processor second",
        "baselines": [{"name": "row by row through the driver", "figure": round(baseline, 1)}],
        "wall_per_second": round(wall, 1),
        "rebuild_per_processor_second": round(rebuilt, 1),
        "events": USERS * (EVENTS_A_USER + 1),
        **fsync.report(),
    }
