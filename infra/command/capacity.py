"""`outcry capacity`: what the template's limits ask of the stores. Arithmetic, not measurement."""

from infra.command.exits import DONE
from infra.local.gateway.template import read_template

CONNECTIONS_MOST = 400  # max_connections of a shard, as deployed
_USERS, _SYMBOLS_EACH, _CONNECTIONS_A_NODE = 10_000_000, 20, 10_000


def print_capacity() -> int:
    """A function's environment holds at most one connection to a shard."""
    print("connections a shard sees at most, by reserved concurrency")
    total = 0
    for function in read_template().functions:
        if function.reserved_concurrency is not None:
            total += function.reserved_concurrency
            print(f"  {function.logical_id:<20}{function.reserved_concurrency:>6}")
    print(f"  {'together':<20}{total:>6} of {CONNECTIONS_MOST}")
    nodes = _USERS // _CONNECTIONS_A_NODE
    print(f"fanout nodes for {_USERS:,} users at {_CONNECTIONS_A_NODE:,} connections: {nodes:,}")
    print(f"subscriptions at {_SYMBOLS_EACH} symbols each: {_USERS * _SYMBOLS_EACH:,}")
    return DONE
