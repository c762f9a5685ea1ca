"""Keeps the search index and Valkey's list of symbols as the instrument master is: by the stream
`listings` within a second of a change, and by a run each minute that mends what was lost.

Invariant: the index is written before the list, whose new generation ends the answers kept of the
old index. What a message says is read in the master, so messages may come twice, late or in any
order. A run brings the master to the business day, whose facts may have been announced before,
rebuilds the index when there is none, and does so once a trade date, for the turnover by which
equal matches are ordered.
"""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from functions.search.index import index_of
from functions.shared.clock import trade_date
from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.runtime import composition
from functions.shared.runtime.composition import Stores
from functions.shared.runtime.logs import logger
from functions.shared.stores.listing_changes import apply_dated_facts, every_listing, states_of
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.search import SearchIndex
from functions.shared.stores.search_cache import SearchCache
from functions.shared.stores.search_documents import Delisted, Listing
from functions.shared.wire.listings import ListingChange, decode_listing_change

#: Ten-thousandths of a rupee in a lakh.
_LAKH = 100_000 * 10_000


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A Kinesis batch in, `batchItemFailures` out: all of it when a store is away."""
    stores = composition.stores()
    records = event["Records"]
    changes = [change for record in records if (change := _change_in(record)) is not None]
    try:
        if changes:
            take_in(stores, changes)
    except Retryable as error:
        first = str(records[0]["kinesis"]["sequenceNumber"])
        logger().warning("listings deferred", sequence_number=first, why=str(error))
        return {"batchItemFailures": [{"itemIdentifier": first}]}
    return {"batchItemFailures": []}


def each_minute(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Schedule in; how many instruments have facts that are valid from today on, and were indexed
    and listed anew. Raises Retryable."""
    stores = composition.stores()
    changed = apply_dated_facts(stores.shards.control, trade_date(stores.clock.now()))
    return {"changed": changed, **mend(stores)}


def take_in(stores: Stores, changes: Sequence[ListingChange]) -> None:
    """Takes what these instruments are now into the index and the list. Raises Retryable."""
    versions = {change.token: change.version for change in changes}
    known = states_of(stores.shards.control, list(versions))
    states = [
        _traded(stores.quotes, [known[token]])[0] if token in known else Delisted(token, version)
        for token, version in versions.items()
    ]
    index = index_of(stores)
    if index is not None:
        index.apply(states)
    SearchCache(stores.valkey).change(states)


def mend(stores: Stores) -> dict[str, int]:
    """Makes anew what is missing or of an earlier trade date. Raises Retryable."""
    done = {"indexed": 0, "listed": 0}
    cache = SearchCache(stores.valkey)
    today = trade_date(stores.clock.now()).isoformat()
    listed, built_on = cache.state()
    index = index_of(stores)
    if index is not None and (built_on != today or not index.is_built()):
        done["indexed"] = rebuild(stores, index)
        cache.note_built(today)
        listed = False
    if not listed:
        done["listed"] = cache.rewrite(every_listing(stores.shards.control))
    return done


def rebuild(stores: Stores, index: SearchIndex) -> int:
    """An index of the whole master in the place of the old one, and what changed while it was made.
    How many instruments that are. Raises Retryable."""
    before = _traded(stores.quotes, list(every_listing(stores.shards.control)))
    index.rebuild(before)
    # A change that came meanwhile may have gone into the old index alone.
    then = {listing.token: listing.version for listing in before}
    now = {listing.token: listing for listing in every_listing(stores.shards.control)}
    changed = [listing for token, listing in now.items() if then.get(token) != listing.version]
    gone = [Delisted(token, version) for token, version in then.items() if token not in now]
    if changed or gone:
        index.apply([*changed, *gone])
    return len(now)


def _change_in(record: dict[str, Any]) -> ListingChange | None:
    """None, and an error in the log, for a record that can't be read: it stops no other, and the
    day's rebuild has what it was about."""
    try:
        return decode_listing_change(base64.b64decode(record["kinesis"]["data"]))
    except PeerProtocolError as error:
        number = str(record["kinesis"]["sequenceNumber"])
        logger().error("listing unreadable", sequence_number=number, why=str(error))
        return None


def _traded(quotes: QuoteCache, listings: Sequence[Listing]) -> list[Listing]:
    """The listings with the day's turnover, where the quote cache knows one."""
    try:
        known = quotes.get(listing.found.symbol for listing in listings)
    except Retryable as error:
        logger().warning("search index without turnover", why=str(error))
        return list(listings)
    return [
        msgspec.structs.replace(listing, turnover=quote.average * quote.volume // _LAKH)
        if (quote := known.get(listing.found.symbol)) is not None
        else listing
        for listing in listings
    ]
