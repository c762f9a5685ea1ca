"""What the routes of functions/auth take and give."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from functions.shared.access.devices import TOKEN_CHARACTERS_MAX
from functions.shared.access.passwords import CHARACTERS_MAX
from functions.shared.runtime.described import IdText, TimeText
from functions.shared.runtime.fields import Form, Request, example

DeviceToken = Annotated[
    str,
    Field(
        min_length=1,
        max_length=TOKEN_CHARACTERS_MAX,
        examples=["n2Yd0hC4xw"],
        description="By which this device is known to this account; keep it, and send it along",
    ),
]
SixDigits = Annotated[str, Form("[0-9]{6}", "six digits")]
SessionId = Annotated[str, Field(examples=["b4WQ2tqkYzS7"])]


class LoginRequest(Request):
    model_config = example({"username": "asha", "password": "a long one", "totp": "492039"})

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=CHARACTERS_MAX)]
    totp: Annotated[SixDigits | None, Field(description="The six digits of the moment")] = None
    recovery_code: Annotated[
        str | None,
        Field(
            max_length=40,
            description="In place of `totp`, once. Neither before an authenticator is enrolled",
        ),
    ] = None
    device_token: DeviceToken | None = None


class ChallengeRequest(Request):
    model_config = example({"challenge_id": "Qm0xkD1sV7", "code": "118204"})

    challenge_id: Annotated[str, Field(min_length=1, max_length=64)]
    code: Annotated[SixDigits, Field(description="The six digits of the mail")]


class RefreshRequest(Request):
    model_config = example({"refresh_token": "IN.7TJ2mB3pWc"})

    refresh_token: Annotated[str, Field(min_length=1, max_length=128)]


class Tokens(BaseModel):
    """`access_token` goes into Authorization; `refresh_token` is used once for the next pair."""

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the scheme's name (RFC 6750)
    access_token: Annotated[str, Field(examples=["eyJhbGciOiJFZERTQSJ9.e30.c2ln"])]
    expires_in: Annotated[int, Field(examples=[600], description="Seconds")]
    refresh_token: Annotated[str, Field(examples=["IN.7TJ2mB3pWc"])]
    session_id: SessionId
    session_expires_at: Annotated[TimeText, Field(description="No renewal passes it")]


class LoginAnswer(Tokens):
    device_token: DeviceToken


class SessionItem(BaseModel):
    """`refreshed_at`: its last use, to within a token's ten minutes."""

    session_id: SessionId
    created_at: TimeText
    refreshed_at: TimeText
    expires_at: TimeText
    network: Annotated[str, Field(examples=["203.0.113.7"], description="Where it was opened from")]
    country: Annotated[
        str | None, Field(examples=["IN"], description="ISO 3166, or LOCAL; null: not known")
    ]
    device_first_seen: TimeText | None
    current: Annotated[bool, Field(examples=[True])]


class SessionList(BaseModel):
    items: list[SessionItem]
    next: None = None


class ProfileAnswer(BaseModel):
    user_id: IdText
    username: Annotated[str, Field(examples=["asha"])]
    roles: Annotated[list[str], Field(examples=[["user"]])]
    mode: Literal["PAPER", "LIVE"]
    region: Annotated[str, Field(examples=["IN"])]
    kill_switch: Annotated[bool, Field(examples=[False])]
