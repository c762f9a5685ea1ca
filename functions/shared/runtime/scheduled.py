"""One run of a scheduled function: shard by shard, step by step, item by item.

Invariant: an item that can't be worked holds up nobody else and is said aloud; a run ends before
its time does, and what it didn't come to is due still when the next one lists it.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from functions.shared.domain.errors import InvariantViolated, NotFound, Refused, Retryable
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.postgres import Database
from functions.shared.stores.wake import wake_relay

#: No single item takes that long.
_RESERVE_MILLISECONDS: Final = 5_000
_TOLD_MOST: Final = 10

_Item = TypeVar("_Item")


class ScheduledRun:
    """What a run did, by step. `context` is Lambda's."""

    def __init__(self, context: Any, *steps: str) -> None:
        self._context = context
        self.done = dict.fromkeys(steps, 0)
        self._broken: list[str] = []

    def over_shards(self, stores: Stores, work: Callable[[Database], None]) -> dict[str, int]:
        """Works every shard that answers and wakes its relay. Returns how much each step did.

        Raises InvariantViolated at the end when the books of some account contradict themselves.
        """
        for number, database in enumerate(stores.shards.databases):
            try:
                work(database)
            except Retryable as error:  # the others don't wait for this one
                logger().warning("shard skipped", shard=number, why=str(error))
            wake_relay(stores.valkey, number)
        if self._broken:
            raise InvariantViolated(f"not worked: {'; '.join(self._broken[:_TOLD_MOST])}")
        return self.done

    def each(self, step: str, items: Iterator[_Item], act: Callable[[_Item], int]) -> None:
        """Acts on the items while there is time; `act` says how much it did."""
        for item in items:
            if self._context.get_remaining_time_in_millis() < _RESERVE_MILLISECONDS:
                logger().warning("run out of time", step=step)
                return
            try:
                self.done[step] += act(item)
            except (Retryable, NotFound, Refused) as error:  # busy, moved away, or no price now
                logger().warning("left to the next run", step=step, item=str(item), why=str(error))
            except InvariantViolated as error:
                logger().error("not worked", step=step, item=str(item), why=str(error))
                self._broken.append(f"{step} {item}")
