"""The venue's reports, as the stream delivers them: at least once, sometimes twice at a time."""

import time
from collections.abc import Callable
from datetime import date

from functions.shared.bookkeeping import applying
from functions.shared.clock import micros
from functions.shared.domain.calendar import settlement_date
from functions.shared.domain.errors import Retryable
from functions.shared.stores.postgres import Shards
from functions.shared.wire.executions import ExecutionReport
from tests.history.record import Facts, Operation
from tests.history.worker import AGAIN_SECONDS, Setting, Worker, noon
from tests.support.ledger import ACME

_WORKING = (
    "SELECT order_id, side, quantity, filled_quantity, limit_price, request,"
    " pending_change, venue_order_id IS NOT NULL FROM ledger.orders WHERE user_id = :user_id"
    " AND status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED') ORDER BY order_id LIMIT 50"
)


class Venue(Worker):
    """Reports on its users' orders, one order after the other: what it says never contradicts
    itself. A report may reach the ledger twice, by two consumers at once."""

    def __init__(self, setting: Setting, name: str, seed: int, unknown: list[Operation]) -> None:
        super().__init__(setting, name, seed)
        self._unknown = unknown

    def run(self, done: Callable[[], bool] = lambda: False) -> None:
        # What a killed predecessor said may yet be on its way: it is said again before more.
        for operation in self._unknown:
            self._tell(self.shards, operation.user, operation.asked)
        super().run(done)

    def step(self) -> None:
        user = self.rng.choice(self.setting.users)
        try:
            rows = self.shards.of_user(user).run(_WORKING, user_id=user)
        except Retryable:
            time.sleep(AGAIN_SECONDS)
            return
        if not rows:
            time.sleep(0.002)
            return
        order, side, quantity, filled, limit, request, change, known = self.rng.choice(rows)
        rest, partly = quantity - filled, self.rng.randint(1, quantity - filled)
        if change is not None and self.rng.random() < 0.9:
            kind = ("4" if change == "CANCEL" else "5") if self.rng.random() < 0.8 else "9"
            done = self.tell(user, order, kind, request)
        elif not known and self.rng.random() < 0.6:
            done = self.tell(user, order, "8" if self.rng.random() < 0.05 else "0")
        elif self.rng.random() < (0.25 if filled else 0.1):
            done = self.tell(user, order, self.rng.choice("4C"))
        else:
            better = self.rng.choice((0, 0, 10_000)) * (-1 if side == "BUY" else 1)
            shares = rest if self.rng.random() < 0.4 else partly
            done = self.tell(user, order, "F", 0, shares, limit + better)
            rest = 0
        if done in {"4", "C"} and rest and self.rng.random() < 0.3:
            self.tell(user, order, "F", 0, partly, limit)  # it traded before it was cancelled

    def tell(
        self, user: int, order: int, exec_type: str, request: int = 0, quantity: int = 0,
        price: int = 0,
    ) -> str | None:  # fmt: skip
        """Returns `exec_type` once the ledger has taken note of the report."""
        today = self.setting.today()
        asked = {"order": order, "exec_id": self.key(), "exec_type": exec_type, "request": request,
                 "quantity": quantity, "price": price, "trade_date": today.isoformat(),
                 "settles_on": settlement_date(today, "nse").isoformat(),
                 "today": today.isoformat(), "position": self.numbers}  # fmt: skip
        answers = self.at_once(lambda shards: self._tell(shards, user, asked), 0.4)
        return exec_type if any(a and a["outcome"] == "APPLIED" for a in answers) else None

    def _tell(self, shards: Shards, user: int, asked: Facts) -> Facts | None:
        today, refused = date.fromisoformat(asked["today"]), asked["exec_type"] == "9"
        report = ExecutionReport(
            session=self.name, position=asked["position"], user_id=user, order_id=asked["order"],
            request=asked["request"], exec_id="" if refused else asked["exec_id"],
            exec_type=asked["exec_type"], ord_status="0", venue_order_id=f"V{asked['order']}",
            symbol=ACME.symbol, side=None, last_quantity=asked["quantity"],
            last_price=asked["price"], cumulative_quantity=0, leaves_quantity=0, order_quantity=0,
            price=None, trade_date=asked["trade_date"], transacted_at=micros(noon(today)),
            reject_code=0 if refused else None,
        )  # fmt: skip

        def call() -> Facts:
            done = applying.apply_execution(
                shards, report, date.fromisoformat(asked["settles_on"]), today, noon(today)
            )
            return {"outcome": done.outcome, "seq": done.seq, "why": done.why}

        return self.ask("report", user, asked, call)
