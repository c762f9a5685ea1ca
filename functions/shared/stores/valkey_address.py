"""Where Valkey is: one server, or some nodes of a cluster.

    redis://[[USER]:PASSWORD@]HOST:PORT/N                    one server
    redis-cluster://[[USER]:PASSWORD@]HOST:PORT[,HOST:PORT]  a cluster, by any of its nodes

`rediss://` and `rediss-cluster://` are the same over TLS. Invariant: an address that can't be meant
is refused here, at start, and nowhere else.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

FORMS: Final = "redis://[USER:PASSWORD@]HOST:PORT/N or redis-cluster://...HOST:PORT,HOST:PORT"
_PORT: Final = 6379
_SERVER: Final = frozenset({"redis", "rediss"})
_CLUSTER: Final = frozenset({"redis-cluster", "rediss-cluster"})


class Node(NamedTuple):
    """One server's address."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ValkeyAddress:
    """What an address says. `nodes` is one server, or those of a cluster that are asked first."""

    nodes: tuple[Node, ...]
    cluster: bool
    tls: bool
    username: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> "ValkeyAddress":
        """Raises ValueError for anything but the forms above; a cluster has no numbered
        databases."""
        scheme = url.partition(":")[0]
        if scheme not in _SERVER | _CLUSTER:
            raise ValueError(f"a Valkey address is {FORMS}")
        rest = url[len(scheme) + len("://") :]
        login, at, places = rest.partition("/")[0].rpartition("@")
        user = urlsplit(f"//{login}{at}")
        cluster = scheme in _CLUSTER
        if cluster and rest.partition("/")[2] not in {"", "0"}:
            raise ValueError("a Valkey cluster has no numbered databases")
        written = places.partition("?")[0].split(",") if cluster else [places.partition("?")[0]]
        return cls(
            nodes=tuple(_node(urlsplit(f"//{place}")) for place in written),
            cluster=cluster,
            tls=scheme.startswith("rediss"),
            username=unquote(user.username) if user.username else None,
            password=unquote(user.password) if user.password else None,
        )

    def options(self, node: Node) -> dict[str, Any]:
        """What redis-py's clients are told, to reach one node."""
        return {
            "host": node.host,
            "port": node.port,
            "username": self.username,
            "password": self.password,
            "ssl": self.tls,
        }


def _node(place: SplitResult) -> Node:
    if not place.hostname:
        raise ValueError(f"a Valkey address is {FORMS}")
    return Node(place.hostname, place.port or _PORT)
