"""A fanout as it is shipped, with its stores: `edge.fanout.main`, its default settings, and a
PostgreSQL with an account, a session and HELD holdings of each user. It has to check a token each.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from functions.shared.access.keys import make_keys, signing_key
from functions.shared.access.principal import SCOPES
from functions.shared.access.tokens import issue_token
from functions.shared.clock import wall_now
from functions.shared.stores.secrets import open_secrets
from infra.local.children import die_with_parent
from infra.local.ports import free_ports
from infra.local.postgres import connect
from infra.local.seed import seed_instruments
from tests.bench.market import SYMBOLS, held
from tests.bench.processes import on_the_servers_core
from tests.bench.servers import DurablePostgres, durable_postgres

START_SECONDS = 60.0

_ACCOUNTS = """
INSERT INTO ledger.account (user_id, seq, head, at, cash, held, borrowed, unsettled, blocked,
    settles_next, open_orders, state, class)
  SELECT n, 0, decode(repeat('00', 32), 'hex'), now(), 100, 0, 0, 0, 0, 'infinity', 0, 'ACTIVE',
    'RETAIL'
  FROM generate_series(1, :users) n JOIN ledger.slot s ON s.slot = (n & 63) AND s.state = 'HERE'
"""
_HOLDINGS = """
INSERT INTO ledger.holding (user_id, symbol, quantity, open_sell, pledged, cost)
  SELECT a.user_id, h.symbol, 10, 0, 0, 100000
  FROM ledger.account a, unnest(string_to_array(:symbols, ',')) AS h(symbol)
"""
_PEOPLE = """
INSERT INTO identity.person (user_id, region, state)
  SELECT n, 'IN', 'ACTIVE' FROM generate_series(1, :users) n
"""
_LOGINS = """
INSERT INTO identity.login (user_id, username, password_hash, totp_secret, mode, roles)
  SELECT n, 'bench' || n, '$argon2id$none', '', 'PAPER', '{user}' FROM generate_series(1, :users) n
"""
_SESSIONS = """
INSERT INTO identity.session (session_id, user_id, created_at, refreshed_at, expires_at, logout_at,
                              network)
  SELECT md5('bench' || n)::uuid, n, now(), now(), now() + interval '1 hour', 'infinity',
         '127.0.0.1'
  FROM generate_series(1, :users) n
"""
_LISTING_HEAD = (
    "token,exchange,symbol,name,isin,sector,kind,tick,lot,band_percent,previous_close,series,"
    "freeze_quantity,closing_auction"
)


@dataclass(frozen=True)
class ShippedNode:
    """`tokens` are of users 1, 2, ...; `owner_urls` the shards of their accounts; `metrics` is
    where it tells its figures."""

    pid: int
    owner_urls: list[str]
    port: int
    tokens: list[str]
    metrics: str

    def figure(self, name: str) -> float:
        """One of its own figures. Raises LookupError for one that it doesn't tell."""
        for line in httpx.get(self.metrics, trust_env=False).text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise LookupError(f"{name} is not told")


@contextlib.contextmanager
def shipped_node(valkey_url: str, users: int) -> Iterator[ShippedNode]:
    """Raises RuntimeError when it does not start."""
    with (
        durable_postgres() as server,
        tempfile.TemporaryDirectory(prefix="outcry-bench-") as folder,
    ):
        _seed(server, users, Path(folder))
        secrets = open_secrets(f"file://{folder}")
        make_keys(secrets)
        key, now = signing_key(secrets), wall_now()
        tokens = [
            issue_token(
                key, user_id=user, session_id=_session(user), roles=("user",), mode="PAPER",
                region="IN", scopes=SCOPES, kind="PERSON", now=now,
            )
            for user in range(1, users + 1)
        ]  # fmt: skip
        port, health = free_ports(2)
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("OUTCRY_")},
            "OUTCRY_POSTGRES_URLS": ",".join(server.edge_urls),
            "OUTCRY_VALKEY_URL": valkey_url,
            "OUTCRY_SECRETS_URL": f"file://{folder}",
            "OUTCRY_LISTEN": f"127.0.0.1:{port}",
            "OUTCRY_HEALTH": f"127.0.0.1:{health}",
            "OUTCRY_LOG_LEVEL": "WARNING",
        }
        with subprocess.Popen(
            [sys.executable, "-m", "edge.fanout.main"],
            env=environment,
            preexec_fn=_child(die_with_parent()),
        ) as child:
            try:
                _await(f"http://127.0.0.1:{health}/health", child)
                metrics = f"http://127.0.0.1:{health}/metrics"
                yield ShippedNode(child.pid, server.owner_urls, port, tokens, metrics)
            finally:
                child.kill()


def _child(die: Callable[[], None]) -> Callable[[], None]:
    def begin() -> None:
        die()
        on_the_servers_core()

    return begin


def _seed(server: DurablePostgres, users: int, folder: Path) -> None:
    for number, url in enumerate(server.owner_urls):
        owner = connect(url)
        try:
            owner.run(_ACCOUNTS, users=users)
            owner.run(_HOLDINGS, symbols=",".join(held()))
            for statement in (_PEOPLE, _LOGINS, _SESSIONS) if number == 0 else ():
                owner.run(statement, users=users)
        finally:
            owner.close()
    listing = folder / "listing.csv"
    rows = [
        f"{1 + n},NSE,S{n},S{n},INE{n:09},Bench,EQUITY,0.05,1,10,120.00,EQ,100000,N"
        for n in range(SYMBOLS)
    ]
    listing.write_text("\n".join([_LISTING_HEAD, *rows]) + "\n")
    seed_instruments(server.owner_urls, listing)


def _session(user: int) -> str:
    digest = hashlib.md5(f"bench{user}".encode(), usedforsecurity=False).hexdigest()
    return str(uuid.UUID(digest))


def _await(health: str, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(health, trust_env=False).status_code == httpx.codes.OK:
                return
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the fanout did not start")
        time.sleep(0.1)
