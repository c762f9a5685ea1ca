"""From a stranger to a trader and out again: applying, being known, closing, being erased.

ASVS 5.0: 6.2.12, 6.3.4, 6.3.8.
"""

from datetime import timedelta

import pytest

from functions.auth import sign_up, verify_people
from functions.shared.access.accounts import create_user, find_login
from functions.shared.access.people import SYSTEM, erase_person, move_person
from functions.shared.bookkeeping.accounts import deposit
from functions.shared.bookkeeping.payments import attempt_payment, end_payment, request_payment
from functions.shared.clock import trade_date
from functions.shared.domain.errors import Retryable
from functions.shared.domain.payments import Direction, PaymentHappening
from functions.shared.runtime.composition import Stores
from functions.shared.stores.bank import HttpBank
from functions.shared.stores.kyc import HttpKyc, Particulars
from functions.shared.stores.postgres import Shards
from infra.local.postgres import OWNER, connect
from tests.support.account_desk import Clock, Outbox, Person, clock, outbox, person, trader
from tests.support.applicants import Applicant
from tests.support.bank import TOKEN, BankProcess, bank
from tests.support.eventually import wait_until
from tests.support.postgres import ShardsUnderTest

__all__ = ["bank", "clock", "outbox", "person", "trader"]

_HOUR = timedelta(hours=1)


@pytest.fixture
def nobody_else(module_databases: ShardsUnderTest) -> None:
    """The people of earlier tests, whose keys are gone, wait for nothing any more."""
    owner = connect(module_databases.urls(OWNER)[0])
    owner.run("UPDATE identity.kyc_check SET due_at = NULL, state = 'VERIFIED', reason = NULL")
    owner.run("UPDATE identity.person SET state = 'CLOSED'")
    owner.close()


def audit_of(stores: Stores, user_id: int) -> list[str]:
    rows = stores.shards.control.run(
        "SELECT action FROM identity.audit WHERE subject = :u::bigint AND action NOT LIKE 'LOG%'"
        " ORDER BY audit_id",
        u=user_id,
    )
    return [action for (action,) in rows]


def test_a_stranger_becomes_a_trader_step_by_step(
    stores: Stores, person: Person, outbox: Outbox, bank: BankProcess
) -> None:
    who = person.who
    person.apply()
    assert person.log_in().body["code"] == "INVALID_CREDENTIALS"  # the mail is not confirmed yet
    person.confirm()
    again = {"token": outbox.token(who.mail)}
    assert person.refused("POST", "/v1/accounts/confirmation", again) == "MAILED_TOKEN_INVALID"
    assert person.log_in().status == 200
    assert person.account()["missing"] == ["TOTP", "BANK_ACCOUNT"]
    early = {"number": who.account, "ifsc": "HDFC0000123", "totp": "000000"}
    assert person.refused("PUT", "/v1/account/bank", early) == "TOTP_NOT_ENROLLED"
    person.verify()
    person.enrol()
    assert person.account()["state"] == "VERIFIED"
    shown = person.put_bank()
    assert shown == {
        "user_id": shown["user_id"], "username": who.username, "state": "ACTIVE",
        "name": who.name, "mail": who.mail, "phone": who.phone, "pan": f"******{who.pan[-4:]}",
        "date_of_birth": who.date_of_birth, "nominees": [], "recovery_codes_left": 10,
        "bank": {"number": f"{'*' * 10}{who.account[-4:]}", "ifsc": "HDFC0000123"},
        "application": {"status": "VERIFIED", "reason": None}, "missing": [],
    }  # fmt: skip
    user_id = int(shown["user_id"])
    assert audit_of(stores, user_id) == [
        "ACCOUNT_APPLIED", "MAIL_CONFIRMED", "ACCOUNT_VERIFIED", "TOTP_ENROLLED",
        "RECOVERY_CODES_MADE", "BANK_CHANGE_ASKED", "BANK_CHANGED", "ACCOUNT_ACTIVATED",
    ]  # fmt: skip
    [[seq]] = stores.shards.of_user(user_id).run(
        "SELECT seq FROM ledger.account WHERE user_id = :u", u=user_id
    )
    assert seq == 1
    paid = HttpBank(bank.url, TOKEN).pay(f"P-{user_id}", str(user_id), 500)
    assert bank.payments()[paid.reference]["to"] == f"HDFC0000123/{who.account}"
    rows = stores.shards.control.run("SELECT sealed FROM identity.personal")
    assert not [text for (sealed,) in rows for text in who.secrets() if text.encode() in sealed]


def test_who_may_only_enrol_may_nothing_else(person: Person) -> None:
    person.apply()
    person.confirm()
    person.log_in()
    assert person.refused("GET", "/v1/auth/sessions") == "SCOPE_MISSING"
    person.enrol()
    assert person.log_in().body["code"] == "INVALID_CREDENTIALS"  # ASVS 6.3.4: not without it now
    assert person.log_in(totp=person.code(), recovery_code=person.recovery[0]).status == 401


def test_a_known_mail_address_is_told_to_its_reader_alone(
    stores: Stores, clock: Clock, outbox: Outbox, trader: Person
) -> None:
    twin = Person(stores, clock, outbox, mail=trader.who.mail)
    other = Person(stores, clock, outbox)
    answers = [one.send("POST", "/v1/accounts", one.who.application()) for one in (twin, other)]
    assert [answer.status for answer in answers] == [202, 202]
    assert [set(answer.body.items()) - {("username", one.who.username)}
            for answer, one in zip(answers, (twin, other), strict=True)] == [
        {("next", "CONFIRM_MAIL")}] * 2  # fmt: skip
    assert outbox.subjects(trader.who.mail)[-1] == "You have an account already"
    assert [one.log_in().body["code"] for one in (twin, other)] == ["INVALID_CREDENTIALS"] * 2
    known = other.send("POST", "/v1/accounts", other.who.application()).body["code"]
    taken = twin.send("POST", "/v1/accounts", twin.who.application()).body["code"]
    assert [known, taken] == ["USERNAME_TAKEN"] * 2


def test_an_application_whose_mail_is_not_taken_can_be_sent_again(
    person: Person, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: str) -> None:
        raise Retryable("the mail was not taken")

    with monkeypatch.context() as while_away:
        while_away.setattr(outbox, "send", away)
        answer = person.send("POST", "/v1/accounts", person.who.application())
        assert answer.body["code"] == "UNAVAILABLE"
    person.apply()
    person.confirm()


def test_of_two_who_confirm_one_address_the_first_has_it(
    stores: Stores, clock: Clock, outbox: Outbox
) -> None:
    first = Person(stores, clock, outbox)
    second = Person(stores, clock, outbox, mail=first.who.mail.upper())
    first.apply()
    second.apply()
    first.confirm()
    token = outbox.token(second.who.mail)
    assert second.refused("POST", "/v1/accounts/confirmation", {"token": token}) == "MAIL_IN_USE"


@pytest.mark.usefixtures("nobody_else")
def test_an_application_that_nobody_confirms_is_forgotten_after_a_day(
    clock: Clock, person: Person
) -> None:
    person.apply()
    assert run_schedule()["forgotten"] == 0
    clock.pass_by(25 * _HOUR)
    assert run_schedule()["forgotten"] == 1
    person.apply()  # the name is free again


def test_a_refused_application_says_why_and_can_be_corrected(
    stores: Stores, clock: Clock, outbox: Outbox
) -> None:
    person = Person(stores, clock, outbox, pan="ABCPX1234F")
    person.apply()
    person.confirm()
    person.log_in()
    person.verify()
    assert person.account()["application"] == {"status": "REFUSED", "reason": "NAME_MISMATCH"}
    right = {"name": person.who.name, "pan": Applicant().pan, "date_of_birth": "1987-03-29"}
    person.ok("PUT", "/v1/account/application", right)
    person.verify()
    assert person.account()["application"] == {"status": "VERIFIED", "reason": None}
    assert person.refused("PUT", "/v1/account/application", right) == "NOT_REFUSED"
    twin = Person(stores, clock, outbox, pan=right["pan"])
    twin.apply()
    twin.confirm()
    twin.log_in()
    twin.verify()
    assert twin.account()["application"] == {"status": "REFUSED", "reason": "PAN_IN_USE"}


@pytest.mark.usefixtures("nobody_else")
def test_the_schedule_goes_on_where_nobody_looks(
    stores: Stores, clock: Clock, person: Person, bank: BankProcess
) -> None:
    person.apply()
    bank.kill()
    person.confirm()  # the provider is away
    bank.start()
    person.log_in()
    person.enrol()
    who, user_id = person.who, person.account()["user_id"]
    asked = Particulars(name=who.name, pan=who.pan, date_of_birth=who.date_of_birth)
    provider = HttpKyc(bank.url, TOKEN)
    wait_until(lambda: provider.check(f"{user_id}-1", asked).status == "VERIFIED")
    clock.pass_by(_HOUR)
    assert run_schedule()["worked"] == 1
    login = find_login(stores.shards, who.username)
    assert login is not None
    assert login.state == "VERIFIED"


def test_nobody_under_eighteen_and_no_password_of_the_list(person: Person) -> None:
    body = person.who.application()
    today = person.clock.now.date()
    almost = today.replace(year=today.year - 18, day=1) + timedelta(days=40)
    assert person.refused("POST", "/v1/accounts", {
        **body, "date_of_birth": almost.isoformat()}) == "TOO_YOUNG"  # fmt: skip
    for weak in ("Football", "1234567", f"my{body['username']}!", "trustno1"):
        sent = {**body, "password": weak}
        assert person.refused("POST", "/v1/accounts", sent) == "PASSWORD_TOO_WEAK"


def test_sign_ups_of_a_network_are_few(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(sign_up.SIGN_UP.size):
        Person(person.stores, person.clock, person.outbox).apply()
    answer = person.send("POST", "/v1/accounts", person.who.application())
    assert (answer.status, answer.body["code"]) == (429, "TOO_MANY_REQUESTS")


def test_nominees_are_whole_or_none(trader: Person) -> None:
    def nominee(share: int) -> dict[str, object]:
        return {"name": trader.who.nominee, "relationship": "brother", "share": share}

    path = "/v1/account/nominees"
    assert trader.refused("PUT", path, {"nominees": [nominee(99)]}) == "INVALID_REQUEST"
    body = {"nominees": [nominee(60), nominee(40)], "totp": trader.code()}
    assert trader.ok("PUT", path, body)["nominees"] == [nominee(60), nominee(40)]
    assert trader.ok("PUT", path, {"nominees": [], "totp": trader.code()})["nominees"] == []


def test_an_account_closes_when_nothing_is_left_and_its_owner_can_be_erased(
    stores: Stores, owner: Shards, trader: Person, outbox: Outbox
) -> None:
    user_id = int(trader.account()["user_id"])
    now = stores.clock.now()
    deposit(stores.shards, user_id, "one", 100, trade_date(now), now)
    path = "/v1/account/closure"
    answer = trader.send("POST", path, {"totp": trader.code()})
    assert (answer.status, answer.body["remains"]) == (422, ["MONEY"])
    assert trader.account()["state"] == "ACTIVE"
    assert not erase_person(owner, stores.valkey, user_id, SYSTEM, "asked")
    pay_out(stores, user_id)
    trader.ok("POST", path, {"totp": trader.code()})
    assert outbox.subjects(trader.who.mail)[-1] == "Your account is closed"
    assert trader.refused("GET", "/v1/account") == "SESSION_ENDED"
    assert trader.log_in(totp=trader.code()).status == 401
    assert erase_person(owner, stores.valkey, user_id, SYSTEM, "asked")
    assert not erase_person(owner, stores.valkey, user_id, SYSTEM, "asked")
    left = stores.shards.control.run(
        "SELECT (SELECT count(*) FROM identity.personal WHERE user_id = p.user_id), l.username,"
        " l.totp_secret, p.wrapped_key, p.mail_digest, p.pan_digest FROM identity.person p"
        " JOIN identity.login l USING (user_id) WHERE user_id = :u::bigint",
        u=user_id,
    )
    assert left == [[0, f"erased-{user_id}", None, None, None, None]]
    again = Person(stores, trader.clock, outbox, mail=trader.who.mail, pan=trader.who.pan)
    again.apply()
    again.confirm()
    again.log_in()
    again.verify()
    assert again.account()["application"]["status"] == "VERIFIED"


def test_a_frozen_account_reads_and_changes_nothing(
    stores: Stores, owner: Shards, trader: Person
) -> None:
    user_id = int(trader.account()["user_id"])
    move_person(owner, stores.valkey, user_id, ["ACTIVE"], "FROZEN", SYSTEM, "asked")
    assert trader.refused("GET", "/v1/account") == "SESSION_ENDED"
    trader.renew()
    assert trader.account()["state"] == "FROZEN"
    for path in ("/v1/account/closure", "/v1/auth/totp", "/v1/auth/recovery-codes"):
        assert trader.refused("POST", path, {"totp": "000000"}) == "SCOPE_MISSING"


def test_a_user_made_on_the_machine_has_an_account_without_particulars(stores: Stores) -> None:
    name = Applicant().username
    create_user(
        stores.shards, stores.secrets, username=name, password="a long one", totp_secret="A" * 32
    )
    login = find_login(stores.shards, name)
    assert login is not None
    assert login.state == "ACTIVE"


def pay_out(stores: Stores, user_id: int) -> None:
    """Everything, as the ledger books a withdrawal that the bank has done."""
    now = stores.clock.now()
    today = trade_date(now)
    asked = request_payment(stores.shards, user_id, Direction.OUT, "out", 100, today, now)
    number = asked.payment.payment_id
    attempt_payment(stores.shards, user_id, number, today, now)
    end_payment(stores.shards, user_id, number, PaymentHappening.DONE, None, today, now)


def test_the_schedule_mails_resets(nobody_else: None, trader: Person, outbox: Outbox) -> None:
    trader.ok("POST", "/v1/auth/password-reset", {"mail": trader.who.mail})
    assert run_schedule()["mailed"] == 1
    assert outbox.subjects(trader.who.mail)[-1] == "Reset your password"
    assert run_schedule()["mailed"] == 0


def test_the_schedule_forgets_sessions_thirty_days_after_their_end(
    trader: Person, stores: Stores
) -> None:
    answer = trader.log_in(totp=trader.code())
    token = answer.body["refresh_token"]
    for _ in range(3):
        renewed = trader.ok("POST", "/v1/auth/refresh", {"refresh_token": token})
        token = renewed["refresh_token"]
    session = answer.body["session_id"]
    rows = "SELECT count(*) FROM identity.{} WHERE session_id = :session::uuid"

    def kept() -> list[int]:
        run = stores.shards.control.run
        return [run(rows.format(t), session=session)[0][0] for t in ("session", "refresh_token")]

    assert kept() == [1, 4]
    trader.clock.pass_by(timedelta(days=29))
    run_schedule()
    assert kept() == [1, 4]
    trader.clock.pass_by(timedelta(days=3))
    assert run_schedule()["sessions"] > 0
    assert kept() == [0, 0]


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 50_000


def run_schedule() -> dict[str, int]:
    return verify_people.lambda_handler({}, _Context())
