"""What the stages of the ledger share: funded accounts, one order, and the transaction it is
measured against.

The baseline writes the same rows into tables like ours (their indexes and checks included), chained
and with an outbox, by the five statements of a client that locks the account with SELECT ... FOR
UPDATE and holds it over every round trip. The statements are prepared, through the same driver, to
the same server and its durability.
"""

import contextlib
import hashlib
import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier

import msgspec

from functions.shared.bookkeeping.accounts import deposit, open_account
from functions.shared.bookkeeping.placing import Placement
from functions.shared.domain.accounts import AccountClass
from functions.shared.domain.charges import charge_rates, charges_on
from functions.shared.domain.errors import Retryable
from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.pretrade import Judgement, OrderIntent
from functions.shared.stores.postgres import Database, Shards
from infra.local.postgres import connect

#: Rupees 1,500, in ten-thousandths.
PRICE = 1_500_0000
OPEN_ORDERS_MAX = 10**9
_VALUE = PRICE // 100
_RATES = charge_rates(Product.CNC, "NSE", Side.BUY, date(2026, 7, 10)).rates
_CHARGES = charges_on(_VALUE, _RATES)
_RESERVED = _VALUE + sum(_CHARGES)
_JUDGEMENT = Judgement((), PRICE, _VALUE, _CHARGES, _RATES, 10**9, _RESERVED)
_INTENT = OrderIntent(Side.BUY, OrderType.LIMIT, 1, PRICE)
_CONTEXT = msgspec.json.encode({
    "quote": {"bid": PRICE - 500, "ask": PRICE, "ltp": PRICE, "seq": 1, "timestamp_ms": 1},
    "rules": {"limits": "2026-01-01", "charges": "2026-03-01"},
}).decode()  # fmt: skip

_BASELINE = """
CREATE SCHEMA baseline;
CREATE TABLE baseline.account (LIKE ledger.account INCLUDING ALL) WITH (fillfactor = 30);
CREATE TABLE baseline.orders (LIKE ledger.orders INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE baseline.ledger_event (LIKE ledger.ledger_event INCLUDING ALL);
CREATE TABLE baseline.outbox (LIKE ledger.outbox INCLUDING ALL);
GRANT USAGE ON SCHEMA baseline TO outcry_app;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA baseline TO outcry_app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA baseline TO outcry_app;
INSERT INTO baseline.account SELECT * FROM ledger.account;
"""
_LOCK = "SELECT seq, head, cash, held FROM baseline.account WHERE user_id = :user FOR UPDATE"
_ORDER = (
    "INSERT INTO baseline.orders (order_id, user_id, client_order_id, fingerprint, symbol, side,"
    " type, product, trade_date, margin_rate, validity, quantity, price, limit_price, reserved,"
    " charge_rates, charges, status, context, placed_seq, created_at, updated_at) VALUES (:order,"
    " :user, :key, :fingerprint, 'INFY', 'BUY', 'LIMIT', 'CNC', :day, 1000000000, 'DAY', 1, :price,"
    " :price, :reserved, :rates, '{0,0,0,0,0,0,0}', 'PENDING', :context, :seq, :now, :now)"
)
_EVENT = (
    "INSERT INTO baseline.ledger_event VALUES (:user, :seq, :now, 'ORDER_PLACED', :order, 0,"
    " :reserved, :cash, :held, 0, :body, :head)"
)
_OUTBOX = (
    "INSERT INTO baseline.outbox (part, user_id, seq, symbol, command)"
    " VALUES (:part, :user, :seq, 'INFY', :command)"
)
_ACCOUNT = (
    "UPDATE baseline.account SET seq = :seq, head = :head, at = :now, held = :held,"
    " open_orders = open_orders + 1 WHERE user_id = :user"
)


def fund(urls: list[str], owner_urls: list[str], users: Iterable[int]) -> None:
    """Opens the accounts with more money than a bench can spend, and the baseline's like them."""
    shards = Shards(urls, "bench")
    now = datetime.now(UTC)
    for user in users:
        open_account(shards, user, now, AccountClass.TEST)
        deposit(shards, user, "bench", 10**15, now.date(), now)
    shards.close()
    for url in owner_urls:
        owner = connect(url)
        owner.run(_BASELINE)
        owner.close()


def placement(user: int, key: str) -> Placement:
    """A limit buy of one share that any funded account can pay."""
    now = datetime.now(UTC)
    return Placement(
        user, key, hashlib.sha256(key.encode()).digest(), "INFY", _INTENT, Product.CNC,
        Validity.DAY, _JUDGEMENT, _CONTEXT, OPEN_ORDERS_MAX, now.date(), now,
    )  # fmt: skip


class FiveStatements:
    """The same order, placed by a client that holds the account locked meanwhile."""

    def __init__(self, urls: list[str], worker: int) -> None:
        self._shards = Shards(urls, "bench")
        self._numbers = itertools.count(worker << 40)

    def place(self, user: int, key: str) -> None:
        database = self._shards.database(self._shards.number_of_user(user))
        with database.transaction():
            self._place(database, user, key)

    def close(self) -> None:
        self._shards.close()

    def _place(self, database: Database, user: int, key: str) -> None:
        now, order = datetime.now(UTC), next(self._numbers)
        seq, head, cash, held = database.run(_LOCK, user=user)[0]
        seq, held = seq + 1, held + _RESERVED
        facts = {
            "order_id": order, "client_order_id": key, "venue_order_id": None, "symbol": "INFY",
            "side": "BUY", "type": "LIMIT", "quantity": 1, "price": PRICE, "product": "CNC",
            "validity": "DAY", "status": "PENDING", "filled_quantity": 0, "traded_value": 0,
            "pending_change": None, "reason_code": None, "reason": None, "rules": None,
            "created_at": now, "updated_at": now, "version": 1,
        }  # fmt: skip
        funds = {"cash": cash, "held": held, "borrowed": 0, "unsettled": 0, "seq": seq}
        body = msgspec.json.encode({"order": facts, "context": _CONTEXT, "v": 1, "funds": funds})
        head = hashlib.sha256(head + body).digest()
        command = msgspec.json.encode({
            "v": 1, "order_id": order, "user_id": user, "symbol": "INFY", "side": "BUY",
            "kind": "new", "type": "LIMIT", "validity": "DAY", "quantity": 1, "price": PRICE,
            "trade_date": now.date(),
        })  # fmt: skip
        database.run(
            _ORDER, order=order, user=user, key=key, day=now.date(), price=PRICE,
            fingerprint=hashlib.sha256(key.encode()).digest(), reserved=_RESERVED,
            rates=list(_RATES), context=_CONTEXT, seq=seq, now=now,
        )  # fmt: skip
        database.run(
            _EVENT, user=user, seq=seq, now=now, order=order, reserved=_RESERVED, cash=cash,
            held=held, body=body.decode(), head=head,
        )  # fmt: skip
        database.run(_OUTBOX, part=user & 7, user=user, seq=seq, command=command.decode())
        database.run(_ACCOUNT, seq=seq, head=head, now=now, held=held, user=user)


#: Of a worker: (addresses, its number) -> what it does again and again, and how much that counts.
Load = Callable[[list[str], int], Callable[[], int]]
#: Loads take turns, so that a machine that gets busier meanwhile slows each of them alike.
TURNS = 3
#: A connection plans what it does when it does it first; a bench starts when that is done.
_WARM_UP = 20
_BARRIER_SECONDS = 120.0
_together: list[Barrier] = []


def rates(loads: Sequence[Load], urls: list[str], workers: int, seconds: float) -> list[float]:
    """What processes of their own do a second together, each as fast as it is answered, load by
    load; each load gets `seconds` in all. What the ledger was too busy for is not done."""
    with started_together(workers) as pool:
        found = pool.starmap(
            _take_turns, [(loads, urls, worker, seconds / TURNS) for worker in range(workers)]
        )
    return [sum(each[place] for each in found) for place in range(len(loads))]


def started_together(workers: int) -> Pool:
    """Processes that can wait for each other: `all_ready`."""
    context = multiprocessing.get_context("spawn")
    return context.Pool(workers, _join, (context.Barrier(workers),))


def _join(barrier: Barrier) -> None:
    _together.append(barrier)


def all_ready() -> None:
    """Waits, in a worker, until all of them have come here."""
    _together[0].wait(_BARRIER_SECONDS)


def _take_turns(loads: Sequence[Load], urls: list[str], worker: int, seconds: float) -> list[float]:
    """What this worker did a second of each load."""
    once = [load(urls, worker) for load in loads]
    for do in once:
        for _ in range(_WARM_UP):
            do()
    done, taken = [0] * len(loads), [0.0] * len(loads)
    for _, place in itertools.product(range(TURNS), range(len(loads))):
        all_ready()
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            with contextlib.suppress(Retryable):  # a disk that stalls: the time is counted
                done[place] += once[place]()
        taken[place] += time.monotonic() - started
    return [count / time_taken for count, time_taken in zip(done, taken, strict=True)]
