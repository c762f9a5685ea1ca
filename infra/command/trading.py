"""`outcry quote`, `buy`, `sell`, `cancel`, `holdings`, `funds` and `outcry orders`: trade by line.

Invariant: nothing is sent without --confirm, and an order under a `client_order_id` that was told
before: who did not hear the answer asks again by the same and has one order.
"""

import re
import shlex
import sys
import uuid
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote as quoted
from urllib.parse import urlencode

from cyclopts import Parameter

from infra.command import trading_tables as tables
from infra.command.exits import DONE, REFUSED, WRONG_USAGE, Failure
from infra.command.place import home
from infra.command.signed_in import rule_text, signed_in
from outcry_client import Api, Market, UnreachableError

PAGE_MOST = 500
Json = Annotated[bool, Parameter(name="--json", help="one JSON document; money in paise")]
_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")


def quote(symbols: list[str], /, *, json_: Json = False) -> int:
    """Show the last quote of each symbol.

    Args:
        symbols: such as INFY TCS
    """
    items = signed_in(home(), lambda api: Market(api).quotes(upper(symbols)))
    return _list(tables.QUOTE, {"items": items, "next": None}, json_)


def upper(symbols: list[str]) -> list[str]:
    """The symbols as the exchange writes them. Raises Failure when there are none."""
    if not symbols:
        raise Failure("name a symbol or more, such as INFY", WRONG_USAGE)
    return [symbol.upper() for symbol in symbols]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Terms:
    """How an order is to trade, and how the command is to answer.

    Args:
        limit: the worst price; a market order without it
        trigger: wait until the last price reaches this one
        product: CNC for delivery, MIS intraday
        type_: MARKET, LIMIT, STOP or STOP_LIMIT; by the prices that are given when left out
        validity: DAY or IOC, or another of the API's
        id_: the client_order_id; by the same one an order is placed once, however often asked
        confirm: send the order
    """

    limit: str | None = None
    trigger: str | None = None
    product: str = "CNC"
    type_: Annotated[str | None, Parameter(name="--type")] = None
    validity: str = "DAY"
    id_: Annotated[str | None, Parameter(name="--id")] = None
    confirm: bool = False
    json_: Json = False


_AS_USUAL = Terms()


def buy(symbol: str, quantity: int, /, *, terms: Terms = _AS_USUAL) -> int:
    """Say what buying would cost; buy with --confirm.

    Args:
        symbol: such as INFY
        quantity: how many shares
    """
    return _trade(_asked("BUY", symbol, quantity, terms), terms)


def sell(symbol: str, quantity: int, /, *, terms: Terms = _AS_USUAL) -> int:
    """Say what selling would bring; sell with --confirm.

    Args:
        symbol: such as INFY
        quantity: how many shares
    """
    return _trade(_asked("SELL", symbol, quantity, terms), terms)


def _asked(side: str, symbol: str, quantity: int, terms: Terms) -> dict[str, Any]:
    """The order's body without its id; the broker judges all of it."""
    usual = {
        (False, False): "MARKET",
        (True, False): "LIMIT",
        (False, True): "STOP",
        (True, True): "STOP_LIMIT",
    }
    asked: dict[str, Any] = {
        "symbol": symbol.upper(),
        "side": side,
        "type": (terms.type_ or usual[terms.limit is not None, terms.trigger is not None]).upper(),
        "quantity": quantity,
        "product": terms.product.upper(),
        "validity": terms.validity.upper(),
    }
    prices = {"price": terms.limit, "trigger_price": terms.trigger}
    return asked | {name: price for name, price in prices.items() if price is not None}


def _trade(asked: dict[str, Any], terms: Terms) -> int:
    client_order_id = terms.id_ or str(uuid.uuid4())
    if not _ID.fullmatch(client_order_id):
        raise Failure(f"--id {terms.id_}: 1 to 36 of A-Z a-z 0-9 _ -", WRONG_USAGE)
    if terms.confirm:
        return _place(asked, client_order_id, terms.json_)
    preview = signed_in(home(), lambda api: api.call("POST", "/v1/orders/preview", asked))
    send = order_command(asked, client_order_id)
    if terms.json_:
        shown = tables.document(preview) | {"client_order_id": client_order_id, "send": send}
        tables.print_json(shown)
    else:
        facts = [(name, str(preview[name])) for name in tables.PREVIEW if preview[name] is not None]
        charges = [(f"  {name}", str(amount)) for name, amount in preview["charges"].items()]
        tables.print_facts([*facts, ("charges", ""), *charges])
        for rule in preview["rules"]:
            print(f"refused  {rule_text(rule)}")
        if preview["accepted"]:
            print(f"Nothing was sent. To send it:\n  {send}")
    return DONE if preview["accepted"] else REFUSED


def order_command(asked: dict[str, Any], client_order_id: str) -> str:
    """What to type to send the order: complete, so that it is the same one however often typed."""
    words = ["outcry", asked["side"].lower(), asked["symbol"], str(asked["quantity"])]
    options = {"--limit": "price", "--trigger": "trigger_price", "--type": "type"}
    options |= {"--product": "product", "--validity": "validity"}
    for option, name in options.items():
        if name in asked:
            words += [option, asked[name]]
    return shlex.join([*words, "--id", client_order_id, "--confirm"])


def _place(asked: dict[str, Any], client_order_id: str, json_: bool) -> int:
    print(f"client_order_id {client_order_id}", file=sys.stderr, flush=True)

    async def send(api: Api) -> Any:
        try:
            return await api.call(
                "POST", "/v1/orders", {"client_order_id": client_order_id, **asked}
            )
        except UnreachableError as error:
            again = order_command(asked, client_order_id)
            raise UnreachableError(
                f"{error}\nIt may have the order. Ask again, it is placed once:\n  {again}"
            ) from error

    return _one(signed_in(home(), send), json_)


def cancel(order_id: str, /, *, json_: Json = False) -> int:
    """Cancel an order. One that is done can't be cancelled any more.

    Args:
        order_id: as `outcry orders` shows it
    """
    path, body = f"/v1/orders/{quoted(order_id, '')}", {"request_id": str(uuid.uuid4())}
    return _one(signed_in(home(), lambda api: api.call("DELETE", path, body)), json_)


def show_orders(
    *,
    status: str | None = None,
    symbol: str | None = None,
    limit: int = 50,
    json_: Json = False,
) -> int:
    """Show your latest orders, newest first; the commands below are the operator's.

    Args:
        status: only those, such as OPEN
        symbol: only of this share
        limit: how many at most, up to 500
    """
    if not 1 <= limit <= PAGE_MOST:
        raise Failure(f"--limit {limit}: 1 to {PAGE_MOST}", WRONG_USAGE)
    query = {"limit": str(limit)}
    if status is not None:
        query["status"] = status.upper()
    if symbol is not None:
        query["symbol"] = symbol.upper()
    path = f"/v1/orders?{urlencode(query)}"
    return _list(tables.ORDER, signed_in(home(), lambda api: api.call("GET", path)), json_)


def holdings(*, json_: Json = False) -> int:
    """Show the shares you hold, what they cost and what they are worth."""
    path = f"/v1/holdings?limit={PAGE_MOST}"
    return _list(tables.HOLDING, signed_in(home(), lambda api: api.call("GET", path)), json_)


def funds(*, json_: Json = False) -> int:
    """Show your money: what is free, held for orders, unsettled, and may be withdrawn."""
    answer = signed_in(home(), lambda api: api.call("GET", "/v1/funds"))
    if json_:
        tables.print_json(tables.document(answer))
    else:
        tables.print_facts([(name, str(answer[name])) for name in tables.FUNDS])
    return DONE


def _list(columns: tuple[str, ...], page: Any, json_: bool) -> int:
    if json_:
        items = [tables.document(item) for item in page["items"]]
        tables.print_json({"items": items, "next": page["next"]})
        return DONE
    tables.print_rows(columns, page["items"])
    if page["next"] is not None:
        print("There are more.", file=sys.stderr)
    return DONE


def _one(order: Any, json_: bool) -> int:
    if json_:
        tables.print_json(tables.document(order))
    else:
        tables.print_rows(tables.ORDER, [order])
    return DONE
