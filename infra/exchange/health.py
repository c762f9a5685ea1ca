"""The loopback HTTP port: health, metrics, the venue's own orders and trades to reconcile with, and
the operator's control.

`/orders` and `/trades` answer at most 10,000 rows at a time; `next` is the `after` of the following
page, null on the last one. Prices are integers in 1/10,000 rupee. POST `/control` takes one action
(market_file.md) as application/json, which no web page of another origin can send unasked.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlsplit

from infra.exchange.actions import Action, read_action
from infra.exchange.prices import average_price
from infra.exchange.register import Order, Register
from infra.exchange.reports import ExecType, ExecutionReport, order_id_text

PAGE = 10_000
REQUEST_TIMEOUT_S = 5.0
MAX_ACTION_BYTES = 65_536

Ask = Callable[[Callable[[], Any]], Any]
Row = dict[str, Any]


def order_row(order: Order) -> Row:
    """Return one client order as the venue holds it."""
    return {
        "order_id": order_id_text(order.order_id),
        "cl_ord_id": order.cl_ord_id,
        "session": order.session,
        "account": order.account,
        "symbol": order.symbol,
        "side": order.side.name,
        "type": order.ord_type.name,
        "time_in_force": order.time_in_force.name,
        "quantity": order.quantity,
        "price": order.price,
        "cum": order.cum,
        "leaves": order.leaves,
        "average_price": average_price(order.value, order.cum),
        "status": order.status.name,
        "last_exec_id": order.last_exec_id,
        "trade_date": order.trade_date,
        "text": order.text,
    }


def trade_row(trade: ExecutionReport, amended: ExecutionReport | None) -> Row:
    """Return one execution of one client order; a trade of two clients is two rows.

    `state` is TRADED, CORRECTED (quantity and price are the corrected ones) or BUSTED.
    """
    state = "TRADED"
    if amended is not None:
        busted = amended.exec_type is ExecType.BUST
        state = "BUSTED" if busted else "CORRECTED"
    now = amended or trade
    return {
        "state": state,
        "exec_id": trade.exec_id,
        "order_id": order_id_text(trade.order_id),
        "cl_ord_id": trade.cl_ord_id,
        "account": trade.account,
        "symbol": trade.symbol,
        "side": trade.side.name,
        "quantity": now.last_quantity,
        "price": now.last_price,
        "trade_date": trade.trade_date,
        "transact_time": trade.transact_time,
    }


def orders_page(register: Register, account: str, after: int) -> Row:
    """Return the orders with a number above `after`, of one account or of all (empty)."""
    chosen = (
        order
        for order in islice(register.orders.values(), after, None)
        if not account or order.account == account
    )
    page = list(islice(chosen, PAGE + 1))
    return {
        "orders": [order_row(order) for order in page[:PAGE]],
        "next": page[PAGE - 1].order_id if len(page) > PAGE else None,
    }


def trades_page(register: Register, account: str, after: int) -> Row:
    """Return the executions after the first `after`, of one account or of all (empty)."""
    chosen = (
        (place, trade)
        for place, trade in enumerate(islice(register.trades, after, None), start=after + 1)
        if not account or trade.account == account
    )
    page = list(islice(chosen, PAGE + 1))
    return {
        "trades": [
            trade_row(trade, register.amendments.get(trade.exec_id)) for _, trade in page[:PAGE]
        ],
        "next": page[PAGE - 1][0] if len(page) > PAGE else None,
    }


@dataclass(frozen=True, slots=True)
class Questions:
    """What the port may ask of the venue; `ask` has the matching thread answer."""

    register: Register
    ask: Ask
    health: Callable[[], Row]
    metrics: Callable[[], str]
    control: Callable[[Action], str]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], questions: Questions) -> None:
        super().__init__(address, _Handler)
        self.questions = questions


_PAGES: dict[str, Callable[[Register, str, int], Row]] = {
    "/orders": orders_page,
    "/trades": trades_page,
}


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_TIMEOUT_S
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer one request."""
        address, questions = urlsplit(self.path), self.server.questions
        if address.path == "/health":
            state = questions.health()
            self._answer(200 if state["state"] == "ready" else 503, json.dumps(state))
        elif address.path == "/metrics":
            self._answer(200, questions.metrics(), "text/plain; version=0.0.4")
        elif address.path in _PAGES:
            self._page(_PAGES[address.path], parse_qs(address.query))
        else:
            self._answer(404, json.dumps({"code": "NOT_FOUND"}))

    def do_POST(self) -> None:
        """Carry out one action, between two turns of the venue."""
        length = self.headers.get("Content-Length", "")
        proper = self.headers.get_content_type() == "application/json"
        if urlsplit(self.path).path != "/control" or not proper:
            self._refuse(404, "NOT_FOUND", "POST /control takes application/json")
        elif not length.isdecimal() or int(length) > MAX_ACTION_BYTES:
            self._refuse(413, "TOO_LARGE", f"at most {MAX_ACTION_BYTES} bytes")
        else:
            self._control(self.rfile.read(int(length)))

    def _control(self, body: bytes) -> None:
        questions = self.server.questions
        try:
            action = read_action(json.loads(body))
            error = questions.ask(lambda: questions.control(action))
        except TimeoutError:
            self._refuse(503, "BUSY", "the venue is busy")
        except ValueError as problem:
            self._refuse(400, "BAD_ACTION", str(problem))
        else:
            if error:
                self._refuse(409, "REFUSED", error)
            else:
                self._answer(200, json.dumps({"done": True}))

    def _page(self, page: Callable[[Register, str, int], Row], query: dict[str, list[str]]) -> None:
        account, after = query.get("client_id", [""])[0], query.get("after", ["0"])[0]
        if not (after.isascii() and after.isdigit()) or len(after) > 12:
            self._answer(400, json.dumps({"code": "BAD_AFTER"}))
            return
        questions = self.server.questions
        try:
            answer = questions.ask(lambda: page(questions.register, account, int(after)))
        except TimeoutError:
            self._answer(503, json.dumps({"code": "BUSY"}))
            return
        self._answer(200, json.dumps(answer))

    def _refuse(self, status: int, code: str, detail: str) -> None:
        self.close_connection = True  # a body that was not read must not be taken for a request
        self._answer(status, json.dumps({"code": code, "detail": detail}))

    def _answer(self, status: int, body: str, kind: str = "application/json") -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are not logged."""


class HealthServer:
    """Serves the port from daemon threads."""

    def __init__(self, host: str, port: int, questions: Questions) -> None:
        self._server = _Server((host, port), questions)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="health", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the port."""
        self._server.shutdown()
        self._server.server_close()
