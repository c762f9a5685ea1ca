"""Clients who trade on a few accounts at once, pay in and out, and send things twice."""

from datetime import date

from functions.shared.bookkeeping import accounts, changing, payments, placing, reading
from functions.shared.domain.errors import Conflict
from functions.shared.domain.orders import OrderType, Product, Side, Validity
from functions.shared.domain.payments import Direction, PaymentHappening
from functions.shared.domain.pretrade import OrderIntent
from functions.shared.stores.postgres import Shards
from tests.history.record import Facts
from tests.history.worker import Setting, Worker, noon
from tests.support.ledger import ACME, verdict

OPEN_ORDERS_MOST = 40
"""Low enough to be met: of many orders at once exactly so many pass."""


class Client(Worker):
    """Trades, pays in and out, changes its mind and sends things twice."""

    def __init__(self, setting: Setting, name: str, seed: int) -> None:
        super().__init__(setting, name, seed)
        self._placed: list[tuple[int, Facts]] = []
        self._orders: list[tuple[int, int, Facts]] = []
        self._changes: list[tuple[str, int, Facts, Facts]] = []

    def step(self) -> None:
        user, today = self.rng.choice(self.setting.users), self.setting.today()
        chosen = self.rng.choices(
            (self.place, self.place_again, self.change, self.deposit, self.withdraw, self.look),
            (50, 10, 15, 6, 6, 13),
        )[0]
        chosen(user, today)

    def place(self, user: int, today: date) -> None:
        side, product = self.rng.choice(list(Side)), self.rng.choice(list(Product))
        asked = {"key": self.key(), "symbol": ACME.symbol, "side": side.value,
                 "product": product.value, "quantity": self.rng.randint(1, 400),
                 "price": self.rng.randint(90, 110) * 10_000,
                 "open_orders_most": OPEN_ORDERS_MOST, "today": today.isoformat()}  # fmt: skip
        self._placed.append((user, asked))
        self.send(user, asked)

    def place_again(self, user: int, today: date) -> None:
        """The same key again: the same words, or (an error of the client's) others."""
        if self._placed:
            user, asked = self.rng.choice(self._placed[-20:])
            other = self.rng.random() < 0.2
            self.send(user, asked | ({"quantity": asked["quantity"] + 1} if other else {}))

    def send(self, user: int, asked: Facts) -> Facts | None:
        """Places the order, now and then twice at a time, as an impatient client does."""
        answers = self.at_once(lambda shards: self._place(shards, user, asked), 0.1)
        answer = next((known for known in answers if known is not None), None)
        if answer is not None and answer["status"] != "DENIED":
            self._orders.append((user, answer["order"], asked))
        return answer

    def _place(self, shards: Shards, user: int, asked: Facts) -> Facts | None:
        day, side, product = (
            date.fromisoformat(asked["today"]), Side(asked["side"]), Product(asked["product"])
        )  # fmt: skip
        placement = placing.Placement(
            user_id=user, client_order_id=asked["key"], symbol=asked["symbol"],
            fingerprint=f"{side}{product}{asked['quantity']}{asked['price']}".encode(),
            intent=OrderIntent(side, OrderType.LIMIT, asked["quantity"], asked["price"]),
            product=product, validity=Validity.DAY, context="{}", open_orders_max=OPEN_ORDERS_MOST,
            judgement=verdict(side, asked["quantity"], asked["price"] / 10_000, product=product),
            trade_date=day, now=noon(day),
        )  # fmt: skip

        def call() -> Facts:
            placed = placing.place(shards, placement)
            if placed.outcome == "KEY_REUSED":
                raise Conflict("KEY_REUSED", "the key was used for other words")
            if placed.order is None:
                return {"outcome": placed.outcome, "order": None, "status": "DENIED"}
            return {"outcome": placed.outcome, "order": placed.order.order_id,
                    "status": placed.order.status}  # fmt: skip

        return self.ask("place", user, asked, call)

    def change(self, user: int, today: date) -> None:
        """Cancels or modifies one of its last orders, or asks again for what it asked before."""
        if self._changes and self.rng.random() < 0.2:
            self._change(*self.rng.choice(self._changes[-10:]))
        elif self._orders:
            user, order, terms = self.rng.choice(self._orders[-10:])
            asked: Facts = {"order": order, "key": self.key(), "today": today.isoformat()}
            what = self.rng.choice(("cancel", "modify"))
            if what == "modify":
                asked |= {"quantity": self.rng.randint(1, 400),
                          "price": self.rng.randint(90, 110) * 10_000}  # fmt: skip
            self._changes.append((what, user, asked, terms))
            self._change(what, user, asked, terms)

    def _change(self, what: str, user: int, asked: Facts, terms: Facts) -> None:
        today = date.fromisoformat(asked["today"])
        which = (self.shards, user, asked["order"], asked["key"], None, today, noon(today))
        if what == "cancel":
            self.ask("cancel", user, asked, lambda: self._answer(changing.request_cancel(*which)))
            return
        side, product, quantity = Side(terms["side"]), Product(terms["product"]), asked["quantity"]
        judged = verdict(side, quantity, asked["price"] / 10_000, product=product)

        def call() -> Facts:
            body = changing.Asked(quantity, asked["price"])
            return self._answer(changing.request_modify(*which, body, quantity, judged))

        self.ask("modify", user, asked, call)

    @staticmethod
    def _answer(changed: changing.Changed) -> Facts:
        return {"version": changed.order.version, "accepted": not changed.rules}

    def deposit(self, user: int, today: date) -> None:
        self.pay_in(user, self.rng.randint(1, 50_000_00), today)

    def pay_in(self, user: int, amount: int, today: date) -> None:
        asked: Facts = {"key": self.key(), "amount": amount, "today": today.isoformat()}

        def call(shards: Shards) -> Facts:
            done = accounts.deposit(shards, user, asked["key"], asked["amount"], today, noon(today))
            return {"seq": done.seq, "replayed": done.replayed}

        self.at_once(lambda shards: self.ask("deposit", user, asked, lambda: call(shards)), 0.3)

    def withdraw(self, user: int, today: date) -> None:
        """Some of the cash, or all: more than may leave while anything is held or unsettled."""
        seen = self.look(user, today)
        if seen is None or not seen["cash"]:
            return
        amount = max(1, seen["cash"] // self.rng.choice((1, 10, 50)))
        asked: Facts = {"key": self.key(), "amount": amount, "today": today.isoformat()}

        def call() -> Facts:
            done = payments.request_payment(
                self.shards, user, Direction.OUT, asked["key"], asked["amount"], today,
                noon(today),
            )  # fmt: skip
            payment = done.payment
            return {"payment": payment.payment_id, "state": payment.state.value,
                    "replayed": done.replayed}  # fmt: skip

        answer = self.ask("withdraw", user, asked, call)
        if answer is not None and answer["state"] != "REFUSED":
            self._pay_out(user, answer["payment"], today)

    def _pay_out(self, user: int, payment: int, today: date) -> None:
        """Asks the bank, which is never in doubt here, and tells the ledger its last word."""
        paid = payment % 3 > 0
        asked = {"payment": payment, "paid": paid, "today": today.isoformat()}

        def call() -> Facts:
            payments.attempt_payment(self.shards, user, payment, today, noon(today))
            ended = payments.end_payment(
                self.shards, user, payment,
                PaymentHappening.DONE if paid else PaymentHappening.REFUSED,
                None, today, noon(today),
            )  # fmt: skip
            return {"state": ended.state.value}

        self.ask("payout", user, asked, call)

    def look(self, user: int, today: date) -> Facts | None:
        def call() -> Facts:
            funds = reading.funds(self.shards, user, today)
            return {"seq": funds.seq, "cash": funds.cash, "held": funds.held,
                    "borrowed": funds.borrowed}  # fmt: skip

        return self.ask("funds", user, {}, call)
