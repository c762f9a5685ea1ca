"""What the routes of functions/auth take and give."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from functions.shared.access.passwords import CHARACTERS_MAX
from functions.shared.runtime.fields import Request


class LoginRequest(Request):
    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=CHARACTERS_MAX)]
    totp: Annotated[str, Field(pattern=r"^[0-9]{6}$", description="The six digits of the moment")]


class RefreshRequest(Request):
    refresh_token: Annotated[str, Field(min_length=1, max_length=128)]


class Tokens(BaseModel):
    """`access_token` goes into Authorization; `refresh_token` is used once for the next pair."""

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the scheme's name (RFC 6750)
    access_token: str
    expires_in: int
    refresh_token: str
    session_id: str


class SessionItem(BaseModel):
    session_id: str
    created_at: str
    refreshed_at: str
    expires_at: str
    current: bool


class SessionList(BaseModel):
    items: list[SessionItem]
    next: None = None


class ProfileAnswer(BaseModel):
    user_id: str
    username: str
    roles: list[str]
    mode: Literal["PAPER", "LIVE"]
    region: str
