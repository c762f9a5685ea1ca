"""Why an order stands where it does, as one chain: what was asked, what was judged, what the
exchange did, what it cost, and what that did to the account's money.

Invariant: every figure is the broker's own; nothing is reckoned here.
"""

from dataclasses import dataclass
from decimal import Decimal

from tui.client.chain import ChainFill, ChainStep, LedgerRow, OrderChain
from tui.client.models import HistoryStep, RuleFailure
from tui.state import formats
from tui.state.histories import cause_words, step_words


@dataclass(frozen=True, slots=True)
class Link:
    """One line of the chain; `part` is empty where a line goes on with the part above it."""

    key: str
    at: str
    part: str
    words: str
    figure: str = ""


def links(chain: OrderChain) -> list[Link]:
    """The chain's lines, oldest first: under each event what was judged, traded and posted."""
    fills = {each.exec_id: each for each in chain.fills}
    money = {row.seq: row for row in chain.ledger}
    lines: list[Link] = []
    for step in chain.history:
        lines += _event(step, chain)
        lines += [_rule(step, number, rule) for number, rule in enumerate(step.rules)]
        if step.fill is not None and step.fill.exec_id in fills:
            lines += _fill(step, fills[step.fill.exec_id])
        if step.seq in money:
            lines += _money(money[step.seq])
    return lines


def _event(step: ChainStep, chain: OrderChain) -> list[Link]:
    words = [step_words(_step(step))]
    if step.request is not None:
        words.append(f"{step.request.action.lower()} asked by {step.request.by.lower()}")
    if because := cause_words(_step(step)):
        words.append(because)
    if step.kind == "ORDER_PLACED" and chain.client_order_id:
        words.append(f"your number {chain.client_order_id}")
    if step.kind in ("ORDER_ACCEPTED", "ORDER_OPENED") and chain.venue_order_id:
        words.append(f"the exchange's number {chain.venue_order_id}")
    asked = ""
    if step.quantity is not None:
        price = "market" if step.price is None else formats.amount(step.price)
        asked = f"{formats.quantity(step.quantity)} at {price}"
    return [Link(f"{step.seq}", formats.clock(step.time), "Event", " · ".join(words), asked)]


def _step(step: ChainStep) -> HistoryStep:
    return HistoryStep(
        seq=step.seq, time=step.time, kind=step.kind, status=step.status, trigger=step.trigger,
        cause=step.cause,
    )  # fmt: skip


def _rule(step: ChainStep, number: int, rule: RuleFailure) -> Link:
    judged = [f"{rule.value}" if rule.value is not None else ""]
    if rule.limit is not None:
        judged.append(f"limit {rule.limit}")
    figure = " · ".join(part for part in judged if part)
    return Link(f"{step.seq}r{number}", "", "Check", rule.message or rule.code, figure)


def _fill(step: ChainStep, fill: ChainFill) -> list[Link]:
    traded = f"{formats.quantity(fill.quantity)} at {formats.amount(fill.price)}"
    settles = f"{fill.settles_on.day} {fill.settles_on:%b}"
    lines = [Link(f"{step.seq}f", "", "Fill", f"execution {fill.exec_id}, settles {settles}",
                  f"{traded} = {formats.rupees(fill.value)}")]  # fmt: skip
    heads = [(name, amount) for name, amount in fill.charges_by_head.items() if amount]
    for name, amount in heads:
        if name != "total":
            words = name.replace("_", " ")
            lines.append(Link(f"{step.seq}c{name}", "", "Charge", words, formats.rupees(amount)))
    lines.append(Link(f"{step.seq}c", "", "Charge", "in all", formats.rupees(fill.charges)))
    return lines


def _money(row: LedgerRow) -> list[Link]:
    moved: list[tuple[str, Decimal, Decimal]] = [
        ("cash", row.cash_change, row.cash), ("held", row.held_change, row.held)
    ]  # fmt: skip
    where = f"entry {row.seq}"
    return [
        Link(f"{row.seq}m{name}", "", "Ledger", f"{where}: {name}, then {formats.rupees(left)}",
             formats.signed_rupees(change))
        for name, change, left in moved
        if change
    ]  # fmt: skip
