"""What the routes of API keys take and give."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from functions.auth.account_answers import SecondFactor
from functions.auth.answers import SixDigits
from functions.shared.access.api_keys import NETWORKS_MAX, parse_network
from functions.shared.runtime.described import TimeText
from functions.shared.runtime.fields import Request, example

KeyScope = Literal["read", "trade", "funds"]
KeyId = Annotated[str, Field(pattern="^key_[0-9a-f]{16}$", examples=["key_5f9fcf9900d1b2c3"])]
Network = Annotated[
    str,
    AfterValidator(parse_network),
    Field(max_length=64, examples=["203.0.113.7"], description="An address or a CIDR network"),
]
_SECRET = Field(examples=["4Vn8eMFm2kqJx0dZ"])


class KeyRequest(SecondFactor):
    """`scopes`: whoever trades also cancels, and every key reads. `addresses`: where calls may come
    from, a /24 (IPv6: a /48) at the largest; a key that trades must have some. `algo_id`: a
    strategy registered for you; without one its orders bear the exchange's generic id."""

    model_config = example(
        {"name": "evening rebalancer", "scopes": ["trade"], "addresses": ["203.0.113.7"],
         "totp": "492039"}
    )  # fmt: skip

    name: Annotated[str, Field(min_length=1, max_length=40)]
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=3)]
    addresses: Annotated[list[Network], Field(default_factory=list, max_length=NETWORKS_MAX)]
    algo_id: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")] | None = None

    @model_validator(mode="after")
    def _trades_from_known_addresses(self) -> "KeyRequest":
        if len(set(self.scopes)) < len(self.scopes):
            raise ValueError("a scope is given twice")
        if "trade" in self.scopes and not self.addresses:
            raise ValueError("a key that trades must name the addresses it is used from")
        return self


class KeyAnswer(BaseModel):
    """`algo_id`: what its orders are marked with at the exchange."""

    key_id: KeyId
    name: Annotated[str, Field(examples=["evening rebalancer"])]
    scopes: list[KeyScope]
    addresses: Annotated[list[str], Field(examples=[["203.0.113.7/32"]])]
    algo_id: Annotated[str, Field(examples=["GENERIC"])]
    created_at: TimeText


class NewKeyAnswer(KeyAnswer):
    """`key_secret` is shown this once."""

    key_secret: Annotated[str, _SECRET]


class KeyList(BaseModel):
    items: list[KeyAnswer]
    next: None = None


class TokenRequest(Request):
    model_config = example(
        {"key_id": "key_5f9fcf9900d1b2c3", "key_secret": "4Vn8eMFm2kqJx0dZ", "totp": "492039"}
    )

    key_id: Annotated[str, Field(max_length=64)]
    key_secret: Annotated[str, Field(min_length=1, max_length=128), _SECRET]
    totp: Annotated[SixDigits, Field(description="Its owner's, of the moment")]
