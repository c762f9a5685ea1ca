"""What the fanout's core asks of the world, and gets answered later on the event loop.

Invariant: the core never waits. Each question names the client or the user and, where a newer one
may overtake it, a ticket; an answer to somebody who left, or with an old ticket, is dropped.
"""

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from edge.fanout.client import Client


class Doors(Protocol):
    """Questions to the token verifier, the ledger and the channels."""

    def verify(self, client: Client, token: str) -> None:
        """Answered by `Reception.verified` or `Reception.refused`."""

    def events(self, client: Client, ticket: int, after: int | None) -> None:
        """Asks for the events after a number, one more than `resume_events` at most, and for the
        latest number; for the latest alone when `after` is None.

        Answered by `PrivateEvents.fetched` or `PrivateEvents.not_fetched`.
        """

    def portfolio(self, user_id: int, ticket: int, trade_date: date) -> None:
        """Asks for a user's books on a trade date.

        Answered by `Portfolios.answered` or `Portfolios.not_answered`, with the ticket.
        """

    def listen(self, channels: Iterable[str]) -> None:
        """Subscribes to channels."""

    def unlisten(self, channels: Iterable[str]) -> None:
        """Gives channels up."""
