"""Days and instants in requests: one spelling each, and a refusal that shows it."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from functions.shared.runtime.fields import Day, Instant

DAY: TypeAdapter[date] = TypeAdapter(Day)
INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@given(st.dates())
def test_a_day_is_read_as_it_is_written(day: date) -> None:
    assert DAY.validate_python(day.isoformat()) == day


@given(
    moment=st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), offset=st.integers(-1439, 1439)
)
def test_an_instant_is_read_as_it_is_written(moment: datetime, offset: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert INSTANT.validate_python(zoned.isoformat()) == zoned


@pytest.mark.parametrize(
    ("text", "valid"),
    [("20261123", "2026-11-23"), ("0", "2026-11-23"), ("1783665000", "2026-11-23"),
     ("23-11-2026", "2026-11-23"), ("2026-11-23T00:00:00Z", "2026-11-23")],
)  # fmt: skip
def test_a_day_in_another_spelling_is_refused_with_the_one_meant(text: str, valid: str) -> None:
    with pytest.raises(ValidationError, match=f"must be a day as YYYY-MM-DD: {valid}"):
        DAY.validate_python(text)


@pytest.mark.parametrize("text", ["20261123", "1783665000", "0", "2026-11-23", "noon"])
def test_bare_digits_are_no_instant(text: str) -> None:
    with pytest.raises(ValidationError, match="must be a time with its zone"):
        INSTANT.validate_python(text)
