"""What the routes of the reviewers' queue take and give."""

from typing import Annotated

from pydantic import BaseModel, Field

from functions.shared.clock import micros
from functions.shared.runtime.described import IdText, SymbolText, TimeText
from functions.shared.runtime.fields import Request, example
from functions.shared.stores.surveillance import Alert
from functions.shared.wire.events import format_time

_DONE = "false while an account has yet to be told, which takes a minute at most"


class DecideBody(Request):
    model_config = example({"why": "the client explained the trades, ticket 4711"})

    why: Annotated[
        str,
        Field(min_length=3, max_length=500, description="For the audit trail: no personal data"),
    ]


class ReasonAnswer(BaseModel):
    """`value`: what was seen; `limit`: from where on it counts; `points`: what it adds to the
    score."""

    code: Annotated[str, Field(examples=["ROUND_TRIPS"])]
    value: Annotated[str, Field(examples=["14"])]
    limit: Annotated[str, Field(examples=["10"])]
    points: Annotated[int, Field(examples=[70])]


class AlertAnswer(BaseModel):
    """What the fraud watch found about a user; `others`: accounts that are linked to it and belong
    to what was found. `measure`: RESTRICT, for a day the account may only close in the stock; LIFT,
    no longer."""

    alert_id: IdText
    rule: Annotated[str, Field(examples=["WASH_TRADING"])]
    user_id: IdText
    others: Annotated[list[str], Field(examples=[[]])]
    symbol: SymbolText | None
    trade_date: Annotated[str, Field(examples=["2026-11-23"])]
    raised_at: TimeText
    score: Annotated[int, Field(examples=[90], ge=1, le=100)]
    reasons: list[ReasonAnswer]
    order_id: IdText | None
    state: Annotated[str, Field(examples=["OPEN"])]
    decided_by: IdText | None
    decided_at: TimeText | None
    decided_why: Annotated[str | None, Field(examples=[None])]
    measure: Annotated[str | None, Field(examples=["RESTRICT"])]
    applied: Annotated[bool, Field(examples=[True], description=_DONE)]
    audit_id: Annotated[IdText | None, Field(description="Of the decision just made")] = None


class AlertList(BaseModel):
    """The highest score first; `next` is the cursor of the following page."""

    items: list[AlertAnswer]
    next: Annotated[str | None, Field(examples=[None])]


def alert_answer(alert: Alert, audit_id: int | None = None) -> AlertAnswer:
    decided_at = alert.decided_at
    return AlertAnswer(
        alert_id=str(alert.alert_id),
        rule=alert.rule,
        user_id=str(alert.user_id),
        others=list(alert.detail["others"]),
        symbol=alert.symbol or None,
        trade_date=alert.day.isoformat(),
        raised_at=format_time(micros(alert.raised_at)),
        score=alert.score,
        reasons=[ReasonAnswer(**reason._asdict()) for reason in alert.reasons],
        order_id=alert.detail["order_id"],
        state=alert.state,
        decided_by=None if alert.decided_by is None else str(alert.decided_by),
        decided_at=None if decided_at is None else format_time(micros(decided_at)),
        decided_why=alert.decided_why,
        measure=alert.measure,
        applied=alert.measure is None or alert.done,
        audit_id=None if audit_id is None else str(audit_id),
    )
