"""Each kind of movement in words: whose shares, how many, and the parts of the amount."""

import pytest

from functions.ledger.describe_movement import describe_movement
from functions.shared.bookkeeping.statements import StatementLine
from functions.shared.domain.errors import InvariantViolated
from functions.shared.wire.movements import decode_movement


def told(kind: str, body: str, amount: int = 0) -> str:
    return describe_movement(StatementLine(2, 0, kind, None, amount, 0, decode_movement(body)))


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (
            "DP_CHARGED",
            (
                '{"depository": {"symbol": "SBIN", "trade_date": "2026-07-10", "charge": 1300,'
                ' "tax": 234}, "v": 1}'
            ),
            "Depository charge for SBIN sold on 2026-07-10, 13.00 and GST 2.34",
        ),
        (
            "FILL_BUSTED",
            (
                '{"bust": {"symbol": "TCS", "side": "SELL", "quantity": 5, "price": 30500000,'
                ' "charges": 1234, "trade_date": "2026-07-10"}}'
            ),
            (
                "Trade of 5 TCS sold at 3050.00 on 2026-07-10 taken back by the exchange, charges"
                " returned 12.34"
            ),
        ),
        (
            "POSITION_DELIVERED",
            (
                '{"lots": [{"lot": 9, "trade_date": "2026-07-10", "settles_on": "2026-07-13",'
                ' "quantity": 20, "cost": 6094400}], "holding": {"symbol": "TCS", "quantity": 30}}'
            ),
            "20 TCS bought intraday on 2026-07-10, kept and paid for",
        ),
        (
            "SHORT_DELIVERED",
            (
                '{"delivery": {"symbol": "WIPRO", "trade_date": "2026-07-10",'
                ' "settles_on": "2026-07-13", "quantity": 40, "value": 1000000}}'
            ),
            "40 WIPRO held, delivered for the short sale of 2026-07-10",
        ),
        (
            "SHORT_CLOSED_OUT",
            (
                '{"shortage": {"symbol": "SBIN", "trade_date": "2026-07-10", "quantity": 0,'
                ' "price": 9000000, "value": 0, "returned": 4500000, "penalty": 0, "tax": 0}}'
            ),
            "SBIN sold on 2026-07-10 and bought back since, valuation returned 45000.00",
        ),
        (
            "SQUARE_OFF_CHARGED",
            '{"charged": {"order_id": 77, "fee": 5000, "tax": 900}}',
            "Fee for squaring a position off by order 77, 50.00 and GST 9.00",
        ),
        (
            "SQUARE_OFF_REFUNDED",
            '{"charged": {"order_id": 77, "fee": 5000, "tax": 900}}',
            "Fee for order 77 given back, no trade of it stands: 50.00 and GST 9.00",
        ),
        (
            "DIVIDEND_PAID",
            (
                '{"dividend": {"symbol": "INFY", "record_date": "2026-08-03", "quantity": 100,'
                ' "per_share": 25000, "amount": 25000}}'
            ),
            "Dividend on 100 INFY at 2.50 a share, record date 2026-08-03",
        ),
        ("DEPOSITED", '{"client_id": "start"}', "Money added"),
        ("INTEREST_CHARGED", '{"v": 1}', "Interest charged"),
    ],
)
def test_a_movement_is_told_in_words(kind: str, body: str, words: str) -> None:
    assert told(kind, body) == words


def test_a_close_out_names_every_part_of_its_amount() -> None:
    body = (
        '{"shortage": {"symbol": "SBIN", "trade_date": "2026-07-10", "quantity": 50,'
        ' "price": 10800000, "value": 5400000, "returned": 4500000, "penalty": 2700, "tax": 486}}'
    )
    assert told("SHORT_CLOSED_OUT", body, 4_900_000 + 4_500_000 - 5_400_000 - 2_700 - 486) == (
        "50 SBIN sold on 2026-07-10 and not delivered, closed out at 1080.00: proceeds 49000.00,"
        " valuation returned 45000.00, close-out -54000.00, penalty -27.00, GST -4.86"
    )


def test_an_event_that_lacks_its_own_facts_is_an_error() -> None:
    with pytest.raises(InvariantViolated):
        told("DIVIDEND_PAID", "{}")
