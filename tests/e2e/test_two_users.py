"""Two users at once: nobody's answer, order or event reaches the other."""

from concurrent.futures import ThreadPoolExecutor

from tests.support.stack import Stack
from tests.support.trader import Trader


def test_concurrent_requests_of_two_users_are_never_swapped(stack: Stack) -> None:
    traders = [stack.new_trader(), stack.new_trader()]
    ids = [t.get("/v1/profile")["user_id"] for t in traders]
    assert ids[0] != ids[1]

    def ask(number: int) -> tuple[int, str]:
        who = number % 2
        fresh = Trader(stack.api, stack.stream, traders[who].user)
        with fresh.http as http:
            http.headers["Authorization"] = f"Bearer {traders[who].token}"
            return who, fresh.get("/v1/profile")["user_id"]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(200)))
    assert [user for _, user in answers] == [ids[who] for who, _ in answers]


def test_another_users_order_is_not_found_whatever_is_asked_of_it(stack: Stack) -> None:
    owner, stranger = stack.new_trader(), stack.new_trader()
    placed = owner.place(symbol="INFY", side="BUY", quantity=1, price="1400").json()
    path = f"/v1/orders/{placed['order_id']}"
    answers = [
        stranger.http.get(path),
        stranger.http.delete(path),
        stranger.http.patch(path, json={"request_id": "a", "quantity": 2}),
    ]
    assert [a.status_code for a in answers] == [404, 404, 404]
    assert {a.json()["code"] for a in answers} == {"NOT_FOUND"}
    assert stranger.get("/v1/orders")["items"] == []
