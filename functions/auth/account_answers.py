"""What the routes of accounts and of what proves them take and give."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from functions.shared.access.passwords import CHARACTERS_MAX
from functions.shared.runtime.described import DayText, IdText
from functions.shared.runtime.fields import Day, Form, Integer, Request, example

NOMINEES_MOST = 10  # SEBI circular of 10 January 2025 on nominations
_TOKEN = "a6nS1mRkYw0pX3cJbF8uTqLhZ5vD7eGi2oMsN4tQxKA"  # noqa: S105  of the examples
_CODE = "QX3M-7TJ2-B5PW-C6KD-A4RN-ZE2H"
_WHOLE = 100


def _printable(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("must be printable, and not begin or end with a space")
    return text


Username = Annotated[
    str,
    Form("[A-Za-z0-9][A-Za-z0-9._-]{2,31}", "3 to 32 letters, digits, dots, _ and -"),
    Field(examples=["asha"]),
]
Password = Annotated[str, Field(min_length=1, max_length=CHARACTERS_MAX)]
PersonName = Annotated[str, Field(min_length=2, max_length=100), AfterValidator(_printable)]
Pan = Annotated[
    str,
    Form("[A-Z]{5}[0-9]{4}[A-Z]", "five capital letters, four digits and a letter: ABCPK1234F"),
    Field(examples=["ABCPK1234F"]),
]
Code = Annotated[
    str,
    Form("[0-9]{6}", "the six digits that the authenticator shows"),
    Field(examples=["492039"]),
]
MailedToken = Annotated[str, Field(min_length=1, max_length=128, examples=[_TOKEN])]
MailAddress = Annotated[
    str,
    Field(max_length=254, examples=["asha@example.com"]),
    # Plain ASCII: capitals of other letters fold into these, and would name another mailbox.
    Form(
        r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+",
        "a mail address of plain letters: asha@example.com",
    ),
]


class SecondFactor(Request):
    """Exactly one of the two; a recovery code counts once."""

    totp: Code | None = None
    recovery_code: Annotated[str | None, Field(max_length=40, examples=[_CODE])] = None


class PersonParticulars(Request):
    model_config = example(
        {"name": "Asha Kulkarni", "pan": "ABCPK1234F", "date_of_birth": "1990-04-01"}
    )

    name: PersonName
    pan: Annotated[Pan, Field(description="A person's, as the income tax department wrote it")]
    date_of_birth: Day


class SignUpRequest(PersonParticulars):
    model_config = example(
        {"username": "asha", "password": "a long one of mine", "name": "Asha Kulkarni",
         "mail": "asha@example.com", "phone": "+919812345678", "pan": "ABCPK1234F",
         "date_of_birth": "1990-04-01"}
    )  # fmt: skip

    username: Username
    password: Password
    mail: MailAddress
    phone: Annotated[
        str,
        Form(r"\+[1-9][0-9]{7,14}", "+, country code and number without spaces: +919812345678"),
        Field(description="As E.164 has it"),
    ]


class ConfirmationRequest(Request):
    model_config = example({"token": _TOKEN})

    token: MailedToken


class BankRequest(SecondFactor):
    model_config = example({"number": "50100123456789", "ifsc": "HDFC0000123", "totp": "492039"})

    number: Annotated[str, Form("[0-9]{9,18}", "9 to 18 digits")]
    ifsc: Annotated[
        str,
        Form("[A-Z]{4}0[A-Z0-9]{6}", "four capital letters, a 0 and six more: HDFC0000123"),
    ]


class NomineeBody(Request):
    name: PersonName
    relationship: Annotated[
        str, Field(min_length=2, max_length=40, examples=["spouse"]), AfterValidator(_printable)
    ]
    share: Annotated[Integer, Field(ge=1, le=_WHOLE, description="In percent")]


class NomineesRequest(SecondFactor):
    model_config = example(
        {"nominees": [{"name": "Ravi Kulkarni", "relationship": "spouse", "share": 100}],
         "totp": "492039"}
    )  # fmt: skip

    nominees: Annotated[list[NomineeBody], Field(max_length=NOMINEES_MOST)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.nominees and sum(nominee.share for nominee in self.nominees) != _WHOLE:
            raise ValueError(f"the shares must come to {_WHOLE}")
        return self


class ClosureRequest(SecondFactor):
    model_config = example({"totp": "492039"})


class EnrolRequest(SecondFactor):
    """Nothing for the first authenticator; the old one's code for another."""

    model_config = example({"totp": "492039"})


class CodeRequest(Request):
    model_config = example({"totp": "492039"})

    totp: Annotated[Code, Field(description="Of the authenticator that was just set up")]


class FactorRequest(SecondFactor):
    model_config = example({"totp": "492039"})


class PasswordRequest(SecondFactor):
    model_config = example(
        {"password": "a long one of mine", "new_password": "a longer one", "totp": "492039"}
    )

    password: Password
    new_password: Password


class ResetAskedRequest(Request):
    model_config = example({"mail": "asha@example.com"})

    mail: MailAddress


class ResetRequest(SecondFactor):
    model_config = example({"token": _TOKEN, "new_password": "a longer one", "totp": "492039"})

    token: MailedToken
    new_password: Password


class AppliedAnswer(BaseModel):
    """What happens next is in the mail."""

    username: Annotated[str, Field(examples=["asha"])]
    next: Literal["CONFIRM_MAIL"] = "CONFIRM_MAIL"


class AcceptedAnswer(BaseModel):
    """The same for everybody."""

    status: Literal["ACCEPTED"] = "ACCEPTED"


class OfferedTotp(BaseModel):
    """Shown once; `uri` is what an authenticator reads as a QR code."""

    secret: Annotated[str, Field(examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])]
    uri: Annotated[str, Field(examples=["otpauth://totp/Outcry:asha?secret=JBSWY3DPEHPK3PXP"])]


class RecoveryCodes(BaseModel):
    """Shown once. Each stands in for the authenticator once."""

    recovery_codes: Annotated[list[str], Field(examples=[[_CODE]])]


class BankAnswer(BaseModel):
    number: Annotated[str, Field(examples=["**********6789"])]
    ifsc: Annotated[str, Field(examples=["HDFC0000123"])]


class NomineeAnswer(BaseModel):
    name: Annotated[str, Field(examples=["Ravi Kulkarni"])]
    relationship: Annotated[str, Field(examples=["spouse"])]
    share: Annotated[int, Field(examples=[100])]


class ApplicationAnswer(BaseModel):
    """Whether the person was verified, and why not."""

    status: Literal["UNCONFIRMED", "WAITING", "VERIFIED", "REFUSED"]
    reason: Annotated[str | None, Field(examples=["NAME_MISMATCH"])]


class AccountAnswer(BaseModel):
    """One's own account; what was never given is null. `missing`: what is left to do oneself."""

    user_id: IdText
    username: Annotated[str, Field(examples=["asha"])]
    state: Literal["APPLIED", "VERIFIED", "ACTIVE", "FROZEN", "CLOSED"]
    name: Annotated[str | None, Field(examples=["Asha Kulkarni"])]
    mail: Annotated[str | None, Field(examples=["asha@example.com"])]
    phone: Annotated[str | None, Field(examples=["+919812345678"])]
    pan: Annotated[str | None, Field(examples=["******234F"])]
    date_of_birth: DayText | None
    bank: BankAnswer | None
    nominees: list[NomineeAnswer]
    application: ApplicationAnswer | None
    recovery_codes_left: Annotated[int, Field(examples=[10])]
    missing: list[Literal["TOTP", "BANK_ACCOUNT"]]
