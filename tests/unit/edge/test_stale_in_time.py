"""Users know of stale prices within two seconds: what each step may take, by the defaults."""

from edge.fanout.freshness import LOOK_SECONDS
from edge.fanout.hub import GROUPS, TICK_SECONDS
from edge.fanout.limits import Limits as FanoutLimits
from edge.ingest.feed import POLL_SECONDS
from edge.ingest.limits import Limits
from edge.ingest.main import IngestSettings
from functions.shared.wire.feed_state import LIFE_MS, PULSE_SECONDS

INGEST = IngestSettings(postgres_urls=("p",), valkey_url="v", venue_feed="f", health="h")
#: From the fanout's knowing to the last of its groups.
TOLD = LOOK_SECONDS + GROUPS * TICK_SECONDS


def test_a_silent_venue_is_told_by_ingest_in_time() -> None:
    silence, batch = INGEST.feed_stale_ms / 1000, INGEST.ingest_batch_ms / 1000
    assert silence + POLL_SECONDS + batch + TOLD < 2


def test_a_silent_ingest_is_noticed_in_time_and_not_between_two_of_its_words() -> None:
    silence = FanoutLimits().feed_silence_seconds
    assert silence > 3 * PULSE_SECONDS
    assert silence + TOLD < 2
    assert silence == LIFE_MS / 1000  # who asks Valkey instead hears of it as soon


def test_a_venue_with_nothing_to_say_is_asked_before_its_prices_are_called_stale() -> None:
    limits = Limits()
    assert limits.heartbeat_seconds < limits.ask_seconds < INGEST.feed_stale_ms / 1000
    assert INGEST.feed_stale_ms / 1000 < limits.silence_seconds
