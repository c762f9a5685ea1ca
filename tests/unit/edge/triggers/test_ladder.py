"""A ladder gives what a price reaches, once, nearest first, as a search through all of it would."""

from hypothesis import given
from hypothesis import strategies as st

from edge.triggers.ladder import Ladder

PRICES = st.integers(1, 40)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), PRICES),
        st.tuples(st.just("remove"), st.integers(0, 30)),
        st.tuples(st.just("take"), PRICES),
    ),
    max_size=60,
)


@given(rising=st.booleans(), first=st.lists(PRICES, max_size=10), steps=STEPS)
def test_it_gives_exactly_what_is_reached_in_the_order_of_price_and_time(
    rising: bool, first: list[int], steps: list[tuple[str, int]]
) -> None:
    naive = dict(enumerate(first))  # order -> trigger; numbers grow with time
    ladder = Ladder(rising=rising, triggers=[(t, n) for n, t in naive.items()])
    number = len(first)
    for step, value in steps:
        if step == "add":
            naive[number] = value
            ladder.add(value, number)
            number += 1
        elif step == "remove":
            ladder.remove(naive.pop(value, 1), value)
        else:
            due = [n for n, t in naive.items() if (value >= t if rising else value <= t)]
            due.sort(key=lambda n: (naive[n] if rising else -naive[n], n))
            assert ladder.reached_by(value) is bool(due)
            assert ladder.take(value) == due
            for n in due:
                del naive[n]
        assert len(ladder) == len(naive)
