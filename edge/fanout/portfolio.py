"""`portfolio`: what each connected user's books are worth, looked at once a second.

Invariant: what is pushed was true at one event of the account and the newest prices: books are read
whole from the ledger as of an event, later events that move only money are laid over them, and any
other makes them stale until they are read again; stale books are pushed to nobody. A push is a last
value: it is made once a user, goes out with the quotes of the next tick, and a slow client skips
steps.

Users are spread over a second's ticks. A look asks what the prices came to; only what moved by
`portfolio_move` (paise), or by a share of what is at stake where that is less, is rendered. At most
`portfolio_reads` questions to the ledger are open; who finds no room asks at the next look, so a
storm of reconnects is spread and sign-ins don't wait.
"""

from collections.abc import Callable, Iterator, Set
from datetime import date

from edge.fanout.client import Client
from edge.fanout.doors import Doors
from edge.fanout.frames import text_frame
from edge.fanout.hub import Hub
from edge.fanout.last_values import LastValues
from edge.fanout.limits import Limits
from edge.fanout.valuing import Books, Figures, Gain
from functions.shared.domain.money import format_amount
from functions.shared.wire.events import EventBody, UserEvent
from functions.shared.wire.portfolio import PortfolioFacts

#: Ticks in which every user is looked at once: a second.
LOOKS = 100
_BASIS_POINTS = 10_000


class _Portfolio:
    """One connected user. `heard`: the newest event heard of; `needed`: the newest that the books
    have to be read again for; `again`: whether they have to be whatever was heard; `ticket`: of the
    question that is open, 0 when none is; `money`: cash less what is borrowed and the event that
    told it; `looked`: the hub's version at the last look; `changed`: whether the books are others
    than those that `told` was made of; `moving`: what in it moves with the prices."""

    __slots__ = ("again", "books", "changed", "clients", "heard", "looked", "money", "moving",
                 "needed", "seq", "ticket", "told")  # fmt: skip

    def __init__(self, clients: Set[Client]) -> None:
        self.clients = clients
        self.books: Books | None = None
        self.seq = self.heard = self.needed = self.ticket = 0
        self.again, self.changed = True, False
        self.money = (0, 0)
        self.looked = -1
        self.moving: int | None = None
        self.told: Figures | None = None

    @property
    def current(self) -> bool:
        """Whether the books are those of the newest event heard of."""
        return not self.again and self.needed <= self.seq

    def distrust(self) -> None:
        """The books, and those that are on their way, may be of the past."""
        self.again, self.ticket = True, 0

    def take(self, event: UserEvent) -> None:
        """The next event of the account: lays it over the books, or has them read again."""
        body, books = event.body, self.books
        if books is None or body.funds is None or not self._moves_money_alone(body, books):
            self.needed = event.user_seq
            return
        books.money = body.funds.cash - body.funds.borrowed
        self.money = (event.user_seq, books.money)
        self.changed = True

    def adopt(self, facts: PortfolioFacts | None, last: LastValues) -> None:
        """The ledger's answer to the question that was open; None for no account."""
        self.again, self.ticket, self.changed = False, 0, True
        if facts is None:
            self.books = None
            return
        self.seq, self.books = facts.seq, Books(facts, last)
        self.heard = max(self.heard, facts.seq)
        seq, money = self.money
        if seq > facts.seq:
            self.books.money = money

    def _moves_money_alone(self, body: EventBody, books: Books) -> bool:
        """Events of orders and plans repeat the rows that they concern; those of nothing that is
        named here (a payment, a day's end) may have changed what no event tells."""
        if body.order is None and body.plan is None and body.alert is None:
            return False
        if not self.current and (body.holding is not None or body.position is not None):
            return False  # there is nothing newer to compare its rows with
        return books.keeps_shares(body)


class Portfolios:
    """The books of everybody who is connected. Its figures are for /metrics."""

    def __init__(
        self,
        hub: Hub,
        doors: Doors,
        trade_date: Callable[[], date],
        limits: Limits,
    ) -> None:
        self._hub, self._doors, self._limits = hub, doors, limits
        self._trade_date = trade_date
        self._day = trade_date()
        self._users: dict[int, _Portfolio] = {}
        self._looks: list[dict[int, _Portfolio]] = [{} for _ in range(LOOKS)]
        self.open = self.reads = self.pushes = 0
        # Whether the last question failed, and for how many ticks none is asked therefore.
        self._failed, self._rest = False, 0

    def __len__(self) -> int:
        return len(self._users)

    @property
    def waiting(self) -> int:
        """Users whose books are yet to be read. Asked by another thread."""
        return sum(not each.current for each in list(self._users.values()))

    def enter(self, user_id: int, client: Client, clients: Set[Client]) -> None:
        """A user's client has signed in; `clients` are all of the user's, now and later."""
        portfolio = self._users.get(user_id)
        if portfolio is None:
            portfolio = self._users[user_id] = _Portfolio(clients)
            self._looks[user_id % LOOKS][user_id] = portfolio
            self._ask(user_id, portfolio)
        if portfolio.told is not None:
            client.send(text_frame(_render(portfolio.told)))

    def leave(self, user_id: int) -> None:
        """The user's last client has left."""
        del self._users[user_id]
        del self._looks[user_id % LOOKS][user_id]

    def strays(self) -> Iterator[int]:
        """Drops the books of users who have no client any more; yields 1 for each of these."""
        for user_id, portfolio in list(self._users.items()):
            stray = not portfolio.clients and self._users.get(user_id) is portfolio
            if stray:
                self.leave(user_id)
            yield int(stray)

    def heard(self, event: UserEvent) -> None:
        """An event of a user; events come in the order of their numbers, some of them twice."""
        portfolio = self._users.get(event.user_id)
        if portfolio is None or event.user_seq <= portfolio.heard:
            return
        if event.user_seq == portfolio.heard + 1:
            portfolio.heard = event.user_seq
            portfolio.take(event)
        else:
            portfolio.heard = portfolio.needed = event.user_seq

    def heard_of(self, user_id: int, seq: int) -> None:
        """The account stands at event `seq`, whatever the channel brought."""
        portfolio = self._users.get(user_id)
        if portfolio is not None and seq > portfolio.heard:
            portfolio.heard = portfolio.needed = seq

    def unsure(self, user_id: int) -> None:
        """Something came of a user that could not be read."""
        portfolio = self._users.get(user_id)
        if portfolio is not None:
            portfolio.distrust()

    def restored(self) -> None:
        """The channels are back after they were lost: anything may have happened."""
        for portfolio in self._users.values():
            portfolio.distrust()

    def tick(self, number: int) -> None:
        """Looks at those whose turn it is; `number` counts the ticks."""
        turn = number % LOOKS
        if turn == 0:
            self._follow_day()
        self._rest = max(0, self._rest - 1)
        for user_id, portfolio in list(self._looks[turn].items()):
            if portfolio.current:
                self._look(portfolio)
            elif not portfolio.ticket:
                self._ask(user_id, portfolio)

    def answered(self, user_id: int, ticket: int, facts: PortfolioFacts | None) -> None:
        """The ledger's answer; None when the user has no account."""
        self.open -= 1
        self._failed = False
        portfolio = self._users.get(user_id)
        if portfolio is None or portfolio.ticket != ticket:
            return
        portfolio.adopt(facts, self._hub.last)
        if portfolio.current:
            self._look(portfolio)

    def not_answered(self, user_id: int, ticket: int) -> None:
        """The ledger did not answer: it is asked once a second until it does."""
        self.open -= 1
        self._failed, self._rest = True, LOOKS
        portfolio = self._users.get(user_id)
        if portfolio is not None and portfolio.ticket == ticket:
            portfolio.distrust()

    def _ask(self, user_id: int, portfolio: _Portfolio) -> None:
        """Asks the ledger, if there is room."""
        room = 1 if self._failed else self._limits.portfolio_reads
        if self._rest or self.open >= room:
            return
        self.open += 1
        self.reads += 1
        portfolio.ticket = self.reads
        self._doors.portfolio(user_id, portfolio.ticket, self._day)

    def _follow_day(self) -> None:
        """On a new trade date what was bought today was bought before, and positions are gone."""
        day = self._trade_date()
        if day != self._day:
            self._day = day
            self.restored()

    def _look(self, portfolio: _Portfolio) -> None:
        books, version = portfolio.books, self._hub.version
        if books is None or (portfolio.looked == version and not portfolio.changed):
            return
        portfolio.looked = version
        gain = books.gain()
        if not portfolio.changed and not self._is_news(portfolio.moving, gain):
            return
        figures = books.figures(gain)
        portfolio.changed, portfolio.moving = False, None if gain is None else gain.moving
        if figures != portfolio.told:
            portfolio.told = figures
            self.pushes += 1
            piece = _render(figures)
            for client in portfolio.clients:
                client.owed = piece

    def _is_news(self, before: int | None, now: Gain | None) -> bool:
        if before is None or now is None:
            return before is not None or now is not None
        moved = abs(now.moving - before)
        share = now.at_stake * self._limits.portfolio_move_basis_points // _BASIS_POINTS
        return moved > 0 and moved >= min(self._limits.portfolio_move, share)


def _render(figures: Figures) -> bytes:
    value, holdings_value, day_pnl, unrealised_pnl = map(_amount, figures)
    return (
        f'{{"type":"portfolio","value":{value},"holdings_value":{holdings_value},'
        f'"day_pnl":{day_pnl},"unrealised_pnl":{unrealised_pnl}}}'
    ).encode()


def _amount(paise: int | None) -> str:
    return "null" if paise is None else f'"{format_amount(paise)}"'
