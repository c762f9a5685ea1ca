"""How consumers of Kinesis divide streams: nobody takes a living one's, and all are soon taken."""

from hypothesis import given
from hypothesis import strategies as st

from functions.shared.stores.kinesis_positions import divided

NAMES = st.sampled_from("abcd")
STREAMS = st.integers(1, 8).map(lambda count: [f"s.{n}" for n in range(count)])


@given(streams=STREAMS, living=st.sets(NAMES, min_size=1), owners=st.dictionaries(
    st.integers(0, 7).map(lambda n: f"s.{n}"), NAMES), data=st.data())  # fmt: skip
def test_a_living_owners_stream_is_its_own_until_it_lets_go(
    streams: list[str], living: set[str], owners: dict[str, str], data: st.DataObject
) -> None:
    me = data.draw(st.sampled_from(sorted(living)))
    members = dict.fromkeys(living, 1)
    after = divided(streams, members, owners, me)
    for stream in streams:
        owner = owners.get(stream)
        if owner in living and owner != me:
            assert after[stream] == owner
        elif stream in after:
            assert after[stream] == me


@given(streams=STREAMS, living=st.sets(NAMES, min_size=1), owners=st.dictionaries(
    st.integers(0, 7).map(lambda n: f"s.{n}"), NAMES))  # fmt: skip
def test_two_rounds_of_the_living_give_each_stream_one_owner_in_fair_shares(
    streams: list[str], living: set[str], owners: dict[str, str]
) -> None:
    members = dict.fromkeys(living, 1)
    for _ in range(2):
        for me in sorted(living):
            owners = divided(streams, members, owners, me)
    assert owners.keys() == set(streams)
    shares = [list(owners.values()).count(name) for name in living]
    assert max(shares) - min(shares) <= 1
