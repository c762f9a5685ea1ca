"""The market that the fanout's stages watch.

Each of SYMBOLS symbols moves each MOVE_SECONDS, published open loop through a real Valkey as ingest
does: in batches of 20 ms, vouched for four times a second. Each client is a user of its own.
"""

import asyncio
import random

import uvloop

from functions.shared.clock import micros, wall_now
from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.wire.feed_state import PULSE_SECONDS, FeedState
from functions.shared.wire.quotes import Quote, encode_record, partition_of_symbol
from infra.load.dialects import outcry_hello

SYMBOLS = 500
WATCHED = HELD = 20
MOVE_SECONDS = 0.1
#: Ingest's own batch: a fifth of the symbols each 20 ms.
SLICES = 5
BATCH_SECONDS = MOVE_SECONDS / SLICES
#: As many as make 100,000 updates a second with one in each batch.
BUSY_SYMBOLS = round(100_000 * BATCH_SECONDS)


def watched(number: int) -> list[str]:
    """The symbols of a client: the same ones in every run."""
    return [f"S{n}" for n in random.Random(number).sample(range(SYMBOLS), WATCHED)]


def held() -> list[str]:
    """What every user holds."""
    return [f"S{number * SYMBOLS // HELD}" for number in range(HELD)]


def moved(number: int, round_: int) -> Quote:
    """A symbol's quote in a round."""
    ltp = 1_000_000 + (round_ * 37 + number * 101) % 5_000 * 100
    now = micros(wall_now()) // 1000
    return Quote(f"S{number}", number, round_ + 1, now, ltp, 1, 0, 0, 0, 1_200_000, 1, 0)


def hello(number: int) -> bytes:
    """The first words of a client, to a node whose tokens are a bench's own."""
    return outcry_hello(f"user:{number}", watched(number))


def publish(url: str) -> None:
    """Each symbol once in MOVE_SECONDS: what `fanout` and its neighbours are fed."""
    _publish(url, SYMBOLS, SLICES)


def publish_at_full_rate(url: str) -> None:
    """BUSY_SYMBOLS in every batch, as ingest conflates 100,000 updates a second and more."""
    _publish(url, BUSY_SYMBOLS, 1)


def _publish(url: str, symbols: int, slices: int) -> None:
    """Open loop: a round that comes late is followed by the next at its own time."""

    async def publish_forever() -> None:
        writer, loop = QuoteWriter(url), asyncio.get_running_loop()
        started, number = loop.time(), 0
        a_pulse = round(PULSE_SECONDS / BATCH_SECONDS)
        while True:
            await asyncio.sleep(started + number * BATCH_SECONDS - loop.time())
            batch: dict[int, list[tuple[str, bytes]]] = {}
            for symbol in range(number % slices, symbols, slices):
                quote = moved(symbol, number // slices)
                pairs = batch.setdefault(partition_of_symbol(quote.symbol), [])
                pairs.append((quote.symbol, encode_record(quote)))
            now = micros(wall_now())
            pulse = FeedState(fence=0, at=now) if number % a_pulse == 0 else None
            await writer.write(batch, now, feed=pulse)
            number += 1

    uvloop.run(publish_forever())
