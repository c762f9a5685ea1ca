"""What a provider of identities does, and a bank with a customer's account, held against the real
simulation over HTTP."""

from typing import Literal

import pytest

from functions.shared.domain.errors import PeerProtocolError, Refused, Retryable
from functions.shared.settings import SettingsError
from functions.shared.stores.bank import HttpBank
from functions.shared.stores.kyc import HttpKyc, KycAnswer, Particulars, open_kyc
from tests.support.bank import TOKEN, BankProcess, bank
from tests.support.eventually import wait_until

__all__ = ["bank"]

ASHA = Particulars(name="Asha Kulkarni", pan="ABCPK1234F", date_of_birth="1990-04-01")


@pytest.mark.parametrize(
    ("pan", "status", "reason"),
    [("ABCPK1234F", "VERIFIED", ""), ("ABCPX1234F", "REFUSED", "NAME_MISMATCH")],
)
def test_a_check_is_pending_for_a_moment_and_then_decided_for_good(
    bank: BankProcess, pan: str, status: Literal["VERIFIED", "REFUSED"], reason: str
) -> None:
    client = HttpKyc(bank.url, TOKEN)
    person = Particulars(name=ASHA.name, pan=pan, date_of_birth=ASHA.date_of_birth)
    reference = f"check-{pan}"
    assert client.check(reference, person).status == "PENDING"
    wait_until(lambda: client.check(reference, person).status != "PENDING")
    for _ in range(2):
        assert client.check(reference, person) == KycAnswer(
            reference=reference, status=status, reason=reason
        )


def test_a_stranger_is_told_nothing(bank: BankProcess) -> None:
    with pytest.raises(PeerProtocolError) as error:
        HttpKyc(bank.url, "another token").check("R", ASHA)
    assert "ABCPK1234F" not in str(error.value) + repr(ASHA)


def test_a_provider_that_is_away_is_asked_again_later() -> None:
    with pytest.raises(Retryable):
        HttpKyc("http://127.0.0.1:9", TOKEN).check("R", ASHA)
    with pytest.raises(SettingsError):
        open_kyc(None, TOKEN)
    with pytest.raises(SettingsError):
        open_kyc("127.0.0.1:9", TOKEN)


def test_money_out_goes_to_the_account_that_the_bank_was_told(bank: BankProcess) -> None:
    client = HttpBank(bank.url, TOKEN)
    client.register("77", "50100123456789", "HDFC0000123")
    client.pay("out-77", "77", 500)
    client.collect("in-77", "77", 500)
    kept = bank.payments()
    assert kept["out-77"]["to"] == "HDFC0000123/50100123456789"
    assert kept["in-77"]["to"] == ""
    with pytest.raises(Refused) as refused:
        client.register("77", "1", "HDFC0000123")
    assert refused.value.code == "BANK_REFUSED"
