"""`python -m tests.support.bus_reader URL GROUP NAME TAKEOVER_SECONDS STREAM...`: a consumer that a
test may stop or kill.

It divides and reads until it was given something, tells it as a line of JSON ([[stream, [data]]]),
waits for a line, acknowledges, and tells "acknowledged" or "refused".
"""

import json
import sys

from functions.shared.domain.errors import Retryable
from functions.shared.stores.streams import Limits, open_streams


def main() -> None:
    url, group, name, takeover, *streams = sys.argv[1:]
    bus = open_streams(url, Limits(takeover_seconds=float(takeover)))
    given = []
    while not given:
        mine = bus.divide(streams, group, name)
        given = bus.read(sorted(mine), group, name, 100, 50)
    print(json.dumps([[s, [d.data.decode() for d in ds]] for s, ds in given]), flush=True)
    sys.stdin.readline()
    try:
        for stream, records in given:
            bus.acknowledge(stream, group, [record.id for record in records])
    except Retryable:
        print("refused", flush=True)
    else:
        print("acknowledged", flush=True)


if __name__ == "__main__":
    main()
