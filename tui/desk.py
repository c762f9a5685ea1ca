"""What the trading screen's workers do: follow account and market, preview, place, modify, cancel.

Invariant: a worker ends in a posted message, whatever the broker did; it never touches a widget.
"""

import asyncio
import contextlib
import random
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce

import msgspec
from textual.message import Message

from outcry_client.errors import SignedOutError
from outcry_client.limits import backoff
from tui.client.broker import Broker, Feed, Link, RefusedError, UnreachableError
from tui.client.journal import Journal
from tui.client.models import Order, Plan
from tui.client.placing import OutcomeUnknownError, open_plan, place_order, settle_from
from tui.follower import Follower
from tui.messages import (
    BrokerNotice,
    HistoryTold,
    InstrumentFound,
    MarketTold,
    OrderAnswered,
    OrderRefused,
    PlanTold,
    PositionsLoaded,
    PreviewArrived,
    SessionEnded,
    SymbolUnknown,
    WhyTold,
)
from tui.state.account import Account
from tui.state.halts import heard
from tui.state.market import MarketClock, read_clock
from tui.state.requests import PlanRequest, Request
from tui.state.ticket import Change, place_problem

TYPING_PAUSE_S = 0.2
"""The broker is asked about what is typed once typing has paused this long."""
PREVIEW_EVERY_S = 15.0
"""An order that is being written is previewed again so often: the market goes on meanwhile."""
PREVIEW_SPREAD_S = 2.0
"""A phase changes for everybody at once: previews for it come spread over this long."""
PREVIEW_TRIES_MAX = 8
"""About twenty seconds with the waits between: longer than a broker's restart."""
FILLS_PAUSE_S = 0.2
"""Positions are asked for once fills have paused this long."""
POSITIONS_TRIES_MAX = PLANS_TRIES_MAX = 8
"""As previews; what stays unanswered comes with the next load of the account."""
MARKET_EVERY_S = {"PAPER": 5.0, "LIVE": 60.0}
"""How often the market's time is read, by mode: a paper market's clock may be moved by hand."""
UNSTEADY_EVERY_S = 1.0
"""The same while its speed is not known yet."""
NOT_FOUND = 404


class Desk:
    """The signed-in user's side of the broker."""

    def __init__(
        self,
        post: Callable[[Message], object],
        broker: Broker,
        feed: Feed,
        journal: Journal,
        now: Callable[[], datetime],
    ) -> None:
        self._post = post
        self._broker = broker
        self._feed = feed
        self._journal = journal
        self._now = now
        self._rng = random.SystemRandom()
        self._is_settled = False
        self._plans_due: set[str] = set()
        self._is_reading_plans = False
        self.follower = Follower(broker, post)

    async def follow(self) -> None:
        """Load the account, then follow it and the prices until the session ends."""
        attempt = 0
        while True:
            try:
                account = await self.follower.load()
                await self._settle(account)
                await self._feed.follow(self.follower, account.funds.seq if account.funds else 0)
                return
            except SignedOutError as ended:
                self._post(SessionEnded(str(ended)))
                return
            except (UnreachableError, RefusedError) as error:
                why = error.problem if isinstance(error, RefusedError) else error
                self.follower.link(Link.RECONNECTING, f"The account can't be loaded: {why}")
                await asyncio.sleep(backoff(attempt, self._rng))
                attempt += 1

    async def log_out(self) -> None:
        """End the session. One whose end the broker did not confirm is left here all the same."""
        words = "Logged out."
        try:
            await self._broker.sign_out()
        except SignedOutError:
            pass  # it had ended already
        except (UnreachableError, RefusedError) as error:
            words = f"Logged out here; the broker may not know, and ends it by itself ({error})."
        self._post(SessionEnded(words))

    async def watch_market(self, mode: str) -> None:
        """Keep the market's time, and its phase as it changes. Load the account afresh when the
        trade date changes: what was traded is a position of its own day alone, and what is held
        settles as days pass.

        A reading that fails is made again: the clock runs on meanwhile, and the connection light
        says what is wrong.
        """
        known: MarketClock | None = None
        while True:
            try:
                status = await self._broker.market()
            except SignedOutError as ended:
                self._post(SessionEnded(str(ended)))
                return
            except (UnreachableError, RefusedError):
                await asyncio.sleep(MARKET_EVERY_S[mode])
                continue
            if known is not None and status.trade_date != known.status.trade_date:
                self._feed.reload()
            known = read_clock(known, status, self._now())
            self._post(MarketTold(known))
            pause = MARKET_EVERY_S[mode] if known.is_steady else UNSTEADY_EVERY_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.follower.market_news.wait(), pause)
            told = reduce(heard, self.follower.take_market_news(), known.status)
            if told != known.status:
                known = replace(known, status=told)
                self._post(MarketTold(known))

    async def _settle(self, account: Account) -> None:
        """Name what was meant to be sent before the last crash and never arrived. Once a session:
        later an open intent may be an order that is being sent right now.
        """
        if self._is_settled:
            return
        self._is_settled = True
        try:
            orders, plans = list(account.orders.values()), list(account.plans.values())
            lost = await asyncio.to_thread(settle_from, self._journal, orders, plans, self._now())
        except (OSError, msgspec.MsgspecError) as error:
            text = f"The journal of sent orders can't be read: {error}"
            self._post(BrokerNotice("error", "journal_unreadable", text))
            return
        if lost:
            text = f"{len(lost)} order(s) of the last run never reached the broker"
            self._post(BrokerNotice("error", "order_lost", text))

    async def look_up(self, symbols: Sequence[str], pause_s: float = 0.0) -> None:
        """Ask what is listed under each of `symbols`, once typing has paused for `pause_s`.

        A symbol left unanswered by a broker out of reach is asked for again once it is back.
        """
        await asyncio.sleep(pause_s)
        for symbol in symbols:
            try:
                self._post(InstrumentFound(await self._broker.instrument(symbol)))
            except RefusedError as refusal:
                if refusal.problem.status == NOT_FOUND:
                    self._post(SymbolUnknown(symbol))
            except UnreachableError:
                return
            except SignedOutError as ended:
                self._post(SessionEnded(str(ended)))
                return

    async def load_positions(self) -> None:
        """Ask what the day's trades come to. A delivery fill tells of its holding, not of the day;
        a burst of fills ends in one question, as a newer call cancels this one.
        """
        await asyncio.sleep(FILLS_PAUSE_S)
        for attempt in range(POSITIONS_TRIES_MAX):
            try:
                self._post(PositionsLoaded(await self._broker.positions()))
            except UnreachableError:
                await asyncio.sleep(backoff(attempt, self._rng))
                continue
            except RefusedError as refusal:
                self._post(BrokerNotice("error", refusal.problem.code, str(refusal)))
            except SignedOutError as ended:
                self._post(SessionEnded(str(ended)))
            return

    def note_plans(self, plan_ids: Iterable[str]) -> None:
        """Have `read_plans` ask for these too."""
        self._plans_due.update(plan_ids)

    async def read_plans(self) -> None:
        """Ask what the noted plans have come to: an event of one tells neither its slices nor their
        sums. However many events come meanwhile, each plan is asked for once a pause. What stays
        unanswered comes with the next load of the account.
        """
        if self._is_reading_plans:
            return
        self._is_reading_plans = True
        try:
            for attempt in range(PLANS_TRIES_MAX):
                await asyncio.sleep(FILLS_PAUSE_S + (backoff(attempt, self._rng) if attempt else 0))
                with contextlib.suppress(UnreachableError):
                    await self._read_plans_due()
                    return
        finally:
            self._is_reading_plans = False

    async def _read_plans_due(self) -> None:
        """Raises UnreachableError with what is not answered still noted."""
        while self._plans_due:
            plan_id = self._plans_due.pop()
            try:
                self._post(PlanTold(await self._broker.plan(plan_id)))
            except UnreachableError:
                self._plans_due.add(plan_id)
                raise
            except RefusedError as refusal:
                self._post(BrokerNotice("error", refusal.problem.code, str(refusal)))
            except SignedOutError as ended:
                self._post(SessionEnded(str(ended)))
                return

    async def preview_again(self, request: Request) -> None:
        """Ask the same once more, as the market is not what it was."""
        await asyncio.sleep(self._rng.uniform(0, PREVIEW_SPREAD_S))
        await self.preview(request)

    async def preview(self, request: Request) -> None:
        """Ask what `request`, or a slice of it, would cost, again while the broker is out of reach.

        A newer draft cancels this call; that, and PREVIEW_TRIES_MAX, end the asking.
        """
        await asyncio.sleep(TYPING_PAUSE_S)
        judged = request.judged()
        for attempt in range(PREVIEW_TRIES_MAX):
            try:
                preview = await self._broker.preview(judged.body())
            except RefusedError as refusal:
                self._post(OrderRefused(place_problem(refusal.problem, judged.target_price)))
            except UnreachableError as silence:
                self._post(OrderRefused({"order": f"Not priced yet: {silence}"}))
                await asyncio.sleep(backoff(attempt, self._rng))
                continue
            except SignedOutError as ended:
                self._post(SessionEnded(str(ended)))
            else:
                self._post(PreviewArrived(request, preview))
            return

    async def place(self, request: Request, business_now: datetime | None) -> None:
        """Send an order or a plan that the user has confirmed; a plan's window begins now."""
        try:
            answer = await self._send(request, business_now)
        except RefusedError as refusal:
            target = request.judged().target_price
            self._post(OrderRefused(place_problem(refusal.problem, target)))
        except OSError as error:
            text = f"The journal can't be written ({error}). Look at the orders before sending."
            self._post(OrderRefused({"order": text}))
        except OutcomeUnknownError as unknown:
            text = f"No answer ({unknown}). Watch the orders before sending it again."
            self._post(OrderRefused({"order": text}))
        except SignedOutError as ended:
            self._post(SessionEnded(str(ended)))
        else:
            self._post(answer)

    async def _send(self, request: Request, business_now: datetime | None) -> Message:
        number, sides = str(uuid.uuid4()), (self._broker, self._journal)
        if isinstance(request, PlanRequest):
            body = {"client_id": number, **request.body(business_now)}
            plan = await open_plan(*sides, body, self._now, self._rng)
            return PlanTold(plan, is_placed=True)
        body = {"client_order_id": number, **request.body()}
        order = await place_order(*sides, body, self._now, self._rng)
        return OrderAnswered(order, is_placed=True)

    async def tell_history(self, order_id: str) -> None:
        """Ask for an order's whole life."""
        try:
            self._post(HistoryTold(order_id, await self._broker.order(order_id)))
        except (RefusedError, UnreachableError) as error:
            self._post(HistoryTold(order_id, None, str(error)))
        except SignedOutError as ended:
            self._post(SessionEnded(str(ended)))

    async def tell_why(self, order_id: str) -> None:
        """Ask what stands behind an order, from intent to ledger."""
        try:
            self._post(WhyTold(order_id, await self._broker.chain(order_id)))
        except (RefusedError, UnreachableError) as error:
            self._post(WhyTold(order_id, None, str(error)))
        except SignedOutError as ended:
            self._post(SessionEnded(str(ended)))

    async def modify(self, order: Order, change: Change) -> None:
        """Change a working order; the version makes a change of a moved order a conflict."""
        body = {"request_id": str(uuid.uuid4()), "version": order.version, **change.body()}
        await self._change(self._broker.modify(order.order_id, body))

    async def cancel(self, order: Order) -> None:
        """Cancel what is left of a working order, however it has moved meanwhile."""
        await self._change(self._broker.cancel(order.order_id, str(uuid.uuid4())))

    async def cancel_plan(self, plan: Plan) -> None:
        """End a plan, and the order of its that works."""
        await self._change(self._broker.cancel_plan(plan.plan_id))

    async def _change(self, call: Awaitable[Order | Plan]) -> None:
        try:
            answer = await call
        except (RefusedError, UnreachableError) as error:
            code = error.problem.code if isinstance(error, RefusedError) else "unreachable"
            self._post(BrokerNotice("error", code, str(error)))
        except SignedOutError as ended:
            self._post(SessionEnded(str(ended)))
        else:
            self._post(PlanTold(answer) if isinstance(answer, Plan) else OrderAnswered(answer))
