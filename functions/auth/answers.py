"""What the routes of functions/auth take and give."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from functions.shared.access.passwords import CHARACTERS_MAX
from functions.shared.runtime.described import IdText, TimeText
from functions.shared.runtime.fields import Request, example

SessionId = Annotated[str, Field(examples=["b4WQ2tqkYzS7"])]


class LoginRequest(Request):
    model_config = example({"username": "asha", "password": "a long one", "totp": "492039"})

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=CHARACTERS_MAX)]
    totp: Annotated[str, Field(pattern=r"^[0-9]{6}$", description="The six digits of the moment")]


class RefreshRequest(Request):
    model_config = example({"refresh_token": "IN.7TJ2mB3pWc"})

    refresh_token: Annotated[str, Field(min_length=1, max_length=128)]


class Tokens(BaseModel):
    """`access_token` goes into Authorization; `refresh_token` is used once for the next pair."""

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the scheme's name (RFC 6750)
    access_token: Annotated[str, Field(examples=["eyJhbGciOiJFZERTQSJ9.e30.c2ln"])]
    expires_in: Annotated[int, Field(examples=[900], description="Seconds")]
    refresh_token: Annotated[str, Field(examples=["IN.7TJ2mB3pWc"])]
    session_id: SessionId


class SessionItem(BaseModel):
    session_id: SessionId
    created_at: TimeText
    refreshed_at: TimeText
    expires_at: TimeText
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
