"""What mail does: SES, simulated (the embedded stack's mail is the same simulation, served)."""

import boto3
import pytest
from botocore.stub import Stubber

from functions.shared.domain.errors import Refused, Retryable
from functions.shared.settings import SettingsError
from functions.shared.stores.mail import open_mail

SENDER, TO = "no-reply@outcry.example", "person@home.example"


def test_a_mail_is_handed_over_with_its_text(aws: str) -> None:
    client = boto3.client("ses")
    client.verify_email_identity(EmailAddress=SENDER)
    open_mail(f"aws:{aws}", SENDER).send(TO, "₹ received", "Ten rupees: ₹10.00")
    assert client.get_send_quota()["SentLast24Hours"] == 1


def test_a_mail_that_will_never_go_is_refused_without_its_address(aws: str) -> None:
    with pytest.raises(Refused) as refusal:
        open_mail(f"aws:{aws}", "nobody@unverified.example").send(TO, "subject", "text")
    assert refusal.value.code == "MAIL_REFUSED"
    assert TO not in str(refusal.value)


def test_a_throttled_mail_may_be_sent_again(aws: str) -> None:
    mail = open_mail(f"aws:{aws}", SENDER)
    with Stubber(mail._client) as stub:
        stub.add_client_error("send_email", "Throttling", "Maximum sending rate exceeded", 400)
        with pytest.raises(Retryable):
            mail.send(TO, "subject", "text")


def test_a_server_that_is_away_is_retryable(aws: str) -> None:
    mail = open_mail("http://127.0.0.1:9", SENDER)
    with pytest.raises(Retryable) as away:
        mail.send(TO, "subject", "text")
    assert TO not in str(away.value)


@pytest.mark.parametrize("url", ["", "smtp://x", "aws"])
def test_an_address_of_another_kind_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match="OUTCRY_MAIL_URL"):
        open_mail(url, SENDER)
