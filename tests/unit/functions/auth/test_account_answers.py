"""What an applicant is told of a field that is not of its form."""

from typing import Any

import pytest
from pydantic import ValidationError

from functions.auth.account_answers import BankRequest, SignUpRequest

APPLICATION: dict[str, Any] = SignUpRequest.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index, call-overload]
BANK: dict[str, Any] = BankRequest.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("request_of", "body", "field", "value", "said"),
    [
        (SignUpRequest, APPLICATION, "pan", "abcpk1234f", "five capital letters, four digits"),
        (SignUpRequest, APPLICATION, "pan", "ABCPK1234F\n", "five capital letters, four digits"),
        (SignUpRequest, APPLICATION, "phone", "98123 45678", "country code"),
        (SignUpRequest, APPLICATION, "username", "a", "3 to 32 letters"),
        (SignUpRequest, APPLICATION, "mail", "asha", "a mail address"),
        (BankRequest, BANK, "ifsc", "HDFC123", "six more"),
        (BankRequest, BANK, "totp", "QX3M-7TJ2", "six digits"),
    ],
)
def test_a_field_of_another_form_is_refused_in_words(
    request_of: type[Any], body: dict[str, Any], field: str, value: str, said: str
) -> None:
    request_of.model_validate(body)
    with pytest.raises(ValidationError) as refused:
        request_of.model_validate({**body, field: value})
    [error] = refused.value.errors()
    assert error["loc"] == (field,)
    assert said in error["msg"]
    assert "[" not in error["msg"]
