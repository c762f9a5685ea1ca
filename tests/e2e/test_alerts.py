"""A price alert on the running stack: set over HTTP, watched by the edge, told on the socket."""

from tests.support.eventually import wait_until
from tests.support.stack import Stack


def test_what_the_price_has_come_to_is_told_and_what_it_has_not_waits(stack: Stack) -> None:
    (trader,) = stack.new_traders(1)
    there = {"symbol": "RELIANCE", "kind": "PRICE_ABOVE", "threshold": "1.00", "note": "look"}
    far = {**there, "kind": "PRICE_BELOW", "threshold": "0.05"}
    for wanted in (there, far):
        assert trader.http.post("/v1/alerts", json=wanted).status_code == 201

    def states() -> dict[str, str]:
        return {each["kind"]: each["state"] for each in trader.get("/v1/alerts")["items"]}

    wait_until(lambda: states()["PRICE_ABOVE"] == "FIRED")
    assert states()["PRICE_BELOW"] == "WAITING"
    (fired,) = (x for x in trader.get("/v1/alerts")["items"] if x["state"] == "FIRED")
    assert float(fired["fired_price"]) > 1
