"""What identifies a person is sealed wherever it lies: in no log, stream, archive or database file.

Somebody applies, is verified, enrols, is paid for and trades, on a stack of real parts; then every
file of its home, every row of its databases and all that its cache holds is searched for them.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyotp
import redis

from infra.local.postgres import connect
from tests.support.applicants import Applicant
from tests.support.stack import Stack
from tests.support.trader import Trader, eventually

_WAIT_SECONDS = 120
#: The bank's own books name its customers' accounts; it is another company.
_OTHERS = {"bank"}


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def mailed_token(stack: Stack, address: str) -> str:
    """Out of the latest mail to the address."""
    mails = stack.outcry("mail").stdout.split("To: ")
    text = [mail for mail in mails if mail.startswith(address)][-1]
    return next(line for line in text.splitlines() if len(line) == 43 and " " not in line)


def become_a_trader(stack: Stack, who: Applicant) -> Trader:
    """By the API alone, as a stranger would. Recovery codes stand in for waiting for the next
    one-time code."""
    with httpx.Client(base_url=stack.api, timeout=60, verify=False) as http:
        ok(http.post("/v1/accounts", json=who.application()))
        token = mailed_token(stack, who.mail)
        ok(http.post("/v1/accounts/confirmation", json={"token": token}))
        login = {"username": who.username, "password": who.password}
        signed_in = ok(http.post("/v1/auth/login", json=login))
        http.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
        secret = ok(http.post("/v1/auth/totp", json={}))["secret"]
        code = pyotp.TOTP(secret).now()
        codes = ok(http.put("/v1/auth/totp", json={"totp": code}))["recovery_codes"]
        bank = {"number": who.account, "ifsc": "HDFC0000123", "recovery_code": codes[0]}
        ok(http.put("/v1/account/bank", json=bank))
        eventually(
            lambda: ok(http.get("/v1/account"))["state"], lambda s: s == "ACTIVE", _WAIT_SECONDS
        )
        nominee = {"name": who.nominee, "relationship": "brother", "share": 100}
        named = {"nominees": [nominee], "recovery_code": codes[1]}
        # The session that enrolled may still do no more than that; the next one may trade.
        ok(http.put("/v1/account/nominees", json=named))
        again = ok(http.post("/v1/auth/login", json={**login, "recovery_code": codes[2]}))
        trader = Trader(stack.api, stack.stream, {**login, "totp_secret": secret})
        trader._begin(again)
        return trader


def trade(trader: Trader) -> None:
    ok(trader.http.post("/v1/funds/deposits", json={"client_id": "first", "amount": "10000.00"}))
    eventually(
        lambda: Decimal(trader.get("/v1/funds")["cash"]), lambda cash: cash > 0, _WAIT_SECONDS
    )
    price = str((trader.price("INFY") * Decimal("1.01")).quantize(Decimal(1)))
    order = trader.place(symbol="INFY", side="BUY", quantity=1, price=price).json()
    eventually(
        lambda: trader.order(order["order_id"])["status"], lambda s: s == "FILLED", _WAIT_SECONDS
    )
    paid = {"client_id": "back", "amount": "100.00"}
    ok(trader.http.post("/v1/funds/withdrawals", json=paid))


def in_files(home: Path, texts: list[str]) -> Iterator[tuple[str, str]]:
    """(folder or file of the home, text) for each that is found."""
    for path in sorted(home.rglob("*")):
        top = path.relative_to(home).parts[0]
        if top in _OTHERS or not path.is_file() or path.is_symlink():
            continue
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # rotated away meanwhile
        yield from ((top, text) for text in texts if text.encode() in data)


def in_rows(url: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    """(table, text): what is compressed in the files is plain here, and bytes are hex."""
    forms = {form: text for text in texts for form in (text, text.encode().hex())}
    database = connect(url)
    try:
        tables = database.run(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        for (table,) in tables:
            found = database.run(
                f"SELECT DISTINCT form FROM {table} t, unnest(:forms::text[]) form"
                " WHERE strpos(t::text, form) > 0",
                forms=list(forms),
            )
            yield from ((str(table), forms[form]) for (form,) in found)
    finally:
        database.close()


def in_cache(url: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    with redis.Redis.from_url(url) as valkey:
        for key in valkey.scan_iter(count=1_000):
            value = valkey.get(key) if valkey.type(key) == b"string" else None
            held = key + b" " + (value or b"")
            yield from (("cache", text) for text in texts if text.encode() in held)


def found_in(stack: Stack, texts: list[str]) -> set[tuple[str, str]]:
    """Everywhere: files of the home, rows of each shard, the cache, what was printed."""
    stores = stack.stores
    found = set(in_files(stack.home, texts)) | set(in_cache(stores["valkey"], texts))
    for url in stores["postgres"]:
        found |= set(in_rows(url, texts))
    return found | {("output", text) for text in texts if text in stack.output}


def test_nothing_that_identifies_a_person_is_stored_or_logged_in_the_clear(stack: Stack) -> None:
    who = Applicant()
    trader = become_a_trader(stack, who)
    user_id = trader.get("/v1/profile")["user_id"]
    trade(trader)

    # The search finds what is there: the number came to the database, the streams and FIX.
    def reached() -> set[str]:
        return {place for place, _ in found_in(stack, [user_id])}

    wanted = {"fix-log", "streams", "ledger.ledger_event"}
    assert wanted <= eventually(reached, wanted.issubset, _WAIT_SECONDS)
    assert ("identity.login", who.username) in found_in(stack, [who.username])
    assert not found_in(stack, who.secrets())
    kept = stack.outcry("users", "erase", who.username)
    assert (kept.returncode, "HOLDINGS" in kept.stderr) == (3, True), kept.stderr
    trader.http.close()
