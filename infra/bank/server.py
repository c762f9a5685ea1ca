"""The bank's HTTP port: payments asked for and looked up, and what it is told to do.

`PUT /payments/{reference}` `{"direction": "IN" | "OUT", "account", "amount"}` asks for a payment
(again, if need be); `GET /payments/{reference}` looks one up; `GET /payments?after=N` lists all, at
most 1,000 a page, `next` null on the last; `PUT /customers/{account}` `{"number", "ifsc"}` says
where money out to a customer goes; `PUT /checks/{reference}` `{"name", "pan", "date_of_birth"}`
asks the registry of PANs about a person; `PUT /behaviour` tells the bank how to behave. Amounts
are integers in paise. All but `/health` need `Authorization: Bearer TOKEN`.

Invariant: at most REQUESTS_MOST requests are worked at once, the next gets a 503; a body is at most
BODY_MOST bytes; a connection that says nothing is closed after REQUEST_SECONDS.
"""

import hmac
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from infra.bank.bank import Asked, Away, Bank, ReferenceReused, Unheard
from infra.bank.behaviour import Behaviour, read_orders
from infra.bank.customers import read_account
from infra.bank.payments import IN, OUT, JournalError, Payment
from infra.bank.registry import Registry, read_person

REQUESTS_MOST: Final = 64
BODY_MOST: Final = 4_096
REQUEST_SECONDS: Final = 5.0
#: How long a bank that will not answer keeps the connection open.
SILENCE_SECONDS: Final = 5.0
AMOUNT_MOST: Final = 10**13
_REFERENCE: Final = re.compile(r"[A-Za-z0-9-]{1,35}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9-]{1,34}")

Answer = dict[str, Any]


class BadRequest(Exception):
    """The request is malformed; the text says how."""


def payment_row(payment: Payment, now: int) -> Answer:
    """A payment as the bank tells of it."""
    status = payment.status(now)
    return {
        "reference": payment.reference,
        "direction": payment.direction,
        "account": payment.account,
        "amount": payment.amount,
        "to": payment.to,
        "status": status,
        "reason": payment.reason if status == payment.outcome else "",
        "at": payment.at,
    }


def read_payment(reference: str, body: object) -> Asked:
    """What the body asks for. Raises BadRequest."""
    if not isinstance(body, dict) or body.keys() != {"direction", "account", "amount"}:
        raise BadRequest("give direction, account and amount")
    direction, account, amount = body["direction"], body["account"], body["amount"]
    if direction not in (IN, OUT):
        raise BadRequest("direction is IN or OUT")
    if not isinstance(account, str) or _ACCOUNT.fullmatch(account) is None:
        raise BadRequest("account is 1 to 34 letters, digits and dashes")
    if type(amount) is not int or not 0 < amount <= AMOUNT_MOST:
        raise BadRequest(f"amount is 1 to {AMOUNT_MOST} paise")
    return Asked(reference, direction, account, amount)


class BankServer:
    """Serves the port from daemon threads. `failed` is told when the journal can't be written."""

    def __init__(
        self, host: str, port: int, *, bank: Bank, token: str, failed: Callable[[str], None]
    ) -> None:
        stopping = threading.Event()
        registry = Registry()
        slots = threading.BoundedSemaphore(REQUESTS_MOST)
        expected = f"Bearer {token}".encode()

        class Handler(_Handler):
            def allowed(self) -> bool:
                given = (self.headers.get("Authorization") or "").encode("latin-1", "replace")
                return hmac.compare_digest(given, expected)

            def work(self) -> None:
                if not slots.acquire(blocking=False):
                    self.answer(503, {"code": "BUSY"})
                    return
                try:
                    self.route(bank, registry, stopping)
                except JournalError as error:
                    failed(str(error))
                    self.close_connection = True
                finally:
                    slots.release()

        self._stopping = stopping
        self._server = _Server((host, port), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="bank", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the port."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = REQUESTS_MOST


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    timeout = REQUEST_SECONDS
    protocol_version = "HTTP/1.1"

    def allowed(self) -> bool:
        """Whether the request carries the token."""
        raise NotImplementedError

    def work(self) -> None:
        """Answers one request."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer one request."""
        self.work()

    def do_PUT(self) -> None:
        """Answer one request."""
        self.work()

    def route(self, bank: Bank, registry: Registry, stopping: threading.Event) -> None:
        """Raises JournalError."""
        address = urlsplit(self.path)
        if address.path == "/health":
            self.answer(200, {"state": "ready"})
        elif not self.allowed():
            self.close_connection = True  # its body was not read
            self.answer(401, {"code": "UNAUTHORIZED"})
        else:
            try:
                self._serve(bank, registry, stopping, address.path, parse_qs(address.query))
            except BadRequest as error:
                self.close_connection = True
                self.answer(400, {"code": "BAD_REQUEST", "detail": str(error)})

    def _serve(
        self,
        bank: Bank,
        registry: Registry,
        stopping: threading.Event,
        path: str,
        query: dict[str, list[str]],
    ) -> None:
        folder, _, reference = path.lstrip("/").partition("/")
        match self.command, folder, reference:
            case "GET", "payments", "":
                self._list(bank, query.get("after", ["0"])[0])
            case "GET", "payments", _:
                found = bank.find(reference)
                if found is None:
                    self.answer(404, {"code": "UNKNOWN_REFERENCE"})
                else:
                    self.answer(200, payment_row(found, bank.now()))
            case "PUT", "payments", _ if _REFERENCE.fullmatch(reference):
                self._pay(bank, stopping, read_payment(reference, self._body()))
            case "PUT", "customers", _ if _ACCOUNT.fullmatch(reference):
                self._register(bank, reference)
            case "PUT", "checks", _ if _REFERENCE.fullmatch(reference):
                self.answer(200, self._check(registry, reference))
            case "PUT", "behaviour", "":
                try:
                    bank.tell(read_orders(self._body()))
                except ValueError as error:
                    raise BadRequest(str(error)) from None
                self.answer(200, {"behaviour": bank.told().behaviour})
            case "GET", "behaviour", "":
                told = bank.told()
                self.answer(200, {"behaviour": told.behaviour, "times": told.times})
            case _:
                self.close_connection = True
                self.answer(404, {"code": "NOT_FOUND"})

    def _list(self, bank: Bank, after: str) -> None:
        if not (after.isascii() and after.isdigit()) or len(after) > 12:
            raise BadRequest("after is a number")
        rows, following = bank.page(int(after))
        now = bank.now()
        self.answer(200, {"payments": [payment_row(p, now) for p in rows], "next": following})

    def _pay(self, bank: Bank, stopping: threading.Event, asked: Asked) -> None:
        try:
            payment, behaviour, seconds = bank.pay(asked)
        except ReferenceReused:
            self.answer(409, {"code": "REFERENCE_REUSED"})
            return
        except Away:
            self.answer(503, {"code": "AWAY"})
            return
        except Unheard:
            self._say_nothing(stopping)
            return
        if behaviour is Behaviour.SILENT:
            self._say_nothing(stopping)
            return
        if behaviour is Behaviour.SLOW:
            stopping.wait(seconds)
        self.answer(200, payment_row(payment, bank.now()))
        if behaviour is Behaviour.TWICE:
            self.answer(200, payment_row(payment, bank.now()))
            self.close_connection = True

    def _check(self, registry: Registry, reference: str) -> Answer:
        try:
            person = read_person(self._body())
        except ValueError as error:
            raise BadRequest(str(error)) from None
        return dict(registry.check(reference, person))

    def _register(self, bank: Bank, customer: str) -> None:
        try:
            number, ifsc = read_account(self._body())
        except ValueError:
            self.answer(422, {"code": "UNKNOWN_ACCOUNT"})
            return
        bank.register(customer, number, ifsc)
        self.answer(200, {"customer": customer})

    def _say_nothing(self, stopping: threading.Event) -> None:
        stopping.wait(SILENCE_SECONDS)
        self.close_connection = True

    def _body(self) -> object:
        """The JSON body. Raises BadRequest."""
        length = self.headers.get("Content-Length") or ""
        if not (length.isascii() and length.isdigit()) or int(length) > BODY_MOST:
            raise BadRequest(f"a body of at most {BODY_MOST} bytes, with its length")
        try:
            return json.loads(self.rfile.read(int(length)))
        except ValueError:
            raise BadRequest("the body is not JSON") from None

    def answer(self, status: int, body: Answer) -> None:
        """Sends one answer; a caller that has gone is no fault of ours."""
        data = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are not logged."""
