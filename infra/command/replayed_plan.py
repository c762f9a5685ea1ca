"""One plan as its events leave it: its row, and its slices'.

Invariant: what was asked is taken from the event that opened it; its state, and which slices were
placed, from those that followed. A plan that has ended does nothing any more and is left out,
unless a trade of it is taken back on its day and opens it again.
"""

import msgspec

ENDS_BY = "PLAN_ENDED"
_REOPENS_BY = "PLAN_REOPENED"
_OPENS_BY = "PLAN_OPENED"


class PlanFacts(msgspec.Struct):
    """What an event tells of a plan; the names are the columns'."""

    plan_id: int
    client_id: str
    kind: str
    symbol: str
    side: str
    product: str
    quantity: int
    price: int | None
    participation: int | None
    curve: str | None
    trade_date: str
    starts_at: int
    ends_at: int
    state: str
    reason_code: str | None
    reason: str | None
    created_at: int
    updated_at: int
    version: int


class SliceFacts(msgspec.Struct):
    """A slice as its plan was opened."""

    due_at: int | None
    planned: int
    expected: int | None


class PlacedSlice(msgspec.Struct):
    """What a slice became."""

    number: int
    order_id: int
    quantity: int
    market_volume: int | None


class ReplayedPlan:
    """Made by the event that opened it; told of every later one that is about it."""

    def __init__(
        self, facts: PlanFacts, seq: int, fingerprint: str, slices: list[SliceFacts]
    ) -> None:
        self.facts = facts
        self._opened = {"opened_seq": seq, "fingerprint": bytes.fromhex(fingerprint)}
        self._slices = slices
        self._placed: dict[int, PlacedSlice] = {}
        self._has_ended = False

    def place(self, placed: PlacedSlice) -> None:
        self._placed[placed.number] = placed

    def end(self) -> None:
        """Nothing waits any more, also where it is opened again."""
        self._has_ended = True

    def row(self) -> dict[str, object]:
        """The columns of its row, its number apart."""
        told = msgspec.structs.asdict(self.facts)
        del told["plan_id"]
        return told | self._opened

    def slices(self) -> dict[int, dict[str, object]]:
        """By number: the columns of each slice's row."""
        last = max(self._placed, default=0)
        rows: dict[int, dict[str, object]] = {}
        for number, each in enumerate(self._slices, start=1):
            placed = self._placed.get(number)
            waits = "WAITING" if number > last and not self._has_ended else "SKIPPED"
            rows[number] = {
                "due_at": each.due_at,
                "planned": each.planned,
                "expected": each.expected,
                "state": waits if placed is None else "PLACED",
                "quantity": None if placed is None else placed.quantity,
                "order_id": None if placed is None else placed.order_id,
                "market_volume": None if placed is None else placed.market_volume,
            }
        return rows


class ReplayedPlans:
    """One user's plans that have not ended."""

    def __init__(self) -> None:
        self._open: dict[int, ReplayedPlan] = {}
        self._ended: dict[int, ReplayedPlan] = {}

    def take(
        self,
        kind: str,
        seq: int,
        facts: PlanFacts,
        fingerprint: str,
        slices: list[SliceFacts],
        placed: PlacedSlice | None,
    ) -> None:
        """Adds an event that tells of a plan."""
        if kind == _OPENS_BY:
            self._open[facts.plan_id] = ReplayedPlan(facts, seq, fingerprint, slices)
            self._ended = {
                number: plan for number, plan in self._ended.items()
                if plan.facts.trade_date >= facts.trade_date
            }  # fmt: skip
        elif kind == _REOPENS_BY and facts.plan_id in self._ended:
            self._open[facts.plan_id] = self._ended.pop(facts.plan_id)
        plan = self._open.get(facts.plan_id)
        if plan is None:
            return  # its opening is missing: its rows will be, too
        plan.facts = facts
        if placed is not None:
            plan.place(placed)
        if kind == ENDS_BY:
            plan.end()
            self._ended[facts.plan_id] = self._open.pop(facts.plan_id)

    def rows(self) -> dict[tuple[object, ...], dict[str, object]]:
        return {(number,): plan.row() for number, plan in self._open.items()}

    def slice_rows(self) -> dict[tuple[object, ...], dict[str, object]]:
        return {
            (number, slice_): row
            for number, plan in self._open.items()
            for slice_, row in plan.slices().items()
        }
