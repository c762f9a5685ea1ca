"""How a slot's logs are cut into transactions, and how slots are shown."""

from hypothesis import given
from hypothesis import strategies as st

from infra.command import slot_move
from infra.command.shards import _runs
from infra.command.slot_tables import Span

MOST = 10


def spans() -> st.SearchStrategy[list[Span]]:
    """One stretch for each of some users; a stretch may be longer than a transaction."""
    stretch = st.tuples(st.integers(0, 100), st.integers(1, 35))
    return st.lists(stretch, max_size=8).map(
        lambda pairs: [
            Span(user, after, after + count) for user, (after, count) in enumerate(pairs, 1)
        ]
    )


@given(spans())
def test_batches_bring_every_event_once_in_order_and_none_is_too_large(found: list[Span]) -> None:
    batches = list(slot_move.batches(found, MOST))
    assert all(0 < sum(s.upto - s.after for s in batch) <= MOST for batch in batches)
    brought = [
        (span.user_id, seq) for batch in batches for span in batch
        for seq in range(span.after + 1, span.upto + 1)
    ]  # fmt: skip
    wanted = [(s.user_id, seq) for s in found for seq in range(s.after + 1, s.upto + 1)]
    assert brought == wanted


def test_neighbouring_slots_are_shown_together() -> None:
    assert _runs([]) == ""
    assert _runs([0, 1, 2, 7, 40, 41]) == "0-2, 7, 40-41"
