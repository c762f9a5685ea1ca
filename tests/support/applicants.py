"""People who apply for an account, with particulars that no other text of a test holds."""

import random
import string
import uuid
from dataclasses import dataclass, field


def _letters(count: int) -> str:
    return "".join(random.choices(string.ascii_uppercase, k=count))


def _digits(count: int) -> str:
    return str(random.randint(10 ** (count - 1), 10**count - 1))


def _pan() -> str:
    return f"{_letters(3)}PK{random.randint(1, 9_999):04d}{_letters(1)}"


@dataclass(frozen=True)
class Applicant:
    """The surname begins with K, as the PAN's fifth letter says."""

    username: str = field(default_factory=lambda: f"u{uuid.uuid4().hex[:12]}")
    password: str = field(default_factory=lambda: uuid.uuid4().hex)
    name: str = field(default_factory=lambda: f"Asha K{_letters(9).lower()}")
    mail: str = field(default_factory=lambda: f"{uuid.uuid4().hex[:12]}@example.com")
    phone: str = field(default_factory=lambda: f"+9198{_digits(8)}")
    pan: str = field(default_factory=_pan)
    date_of_birth: str = "1987-03-29"
    account: str = field(default_factory=lambda: _digits(14))
    nominee: str = field(default_factory=lambda: f"Ravi N{_letters(9).lower()}")

    def application(self) -> dict[str, str]:
        names = ("username", "password", "name", "mail", "phone", "pan", "date_of_birth")
        return {name: getattr(self, name) for name in names}

    def secrets(self) -> list[str]:
        """What must be nowhere in the clear."""
        return [self.password, self.name, self.mail, self.phone, self.pan, self.account,
                self.nominee]  # fmt: skip
