"""The stores of the functions, patient: on a busy machine a server that is slow is not away.

Those limits belong to a request of a user. A test that is about one sets its own.
"""

from collections.abc import Iterator

import pytest

from functions.shared.stores import clickhouse, postgres, quote_servers, quote_writer, valkey
from functions.shared.stores.channels import Channels
from functions.shared.stores.postgres import Database

LOCK_MS, STATEMENT_MS = 20_000, 60_000
ANSWER_SECONDS = 60.0


@pytest.fixture(scope="session", autouse=True)
def patient_stores() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        timeouts = Database.__init__.__kwdefaults__
        patched.setitem(timeouts, "lock_timeout_ms", LOCK_MS)
        patched.setitem(timeouts, "statement_timeout_ms", STATEMENT_MS)
        patched.setattr(postgres, "SOCKET_TIMEOUT_SECONDS", ANSWER_SECONDS)
        patched.setattr(valkey, "CONNECT_TIMEOUT_SECONDS", ANSWER_SECONDS)
        answers = valkey.open_valkey.__kwdefaults__
        patched.setitem(answers, "answer_timeout_seconds", ANSWER_SECONDS)
        patched.setattr(Channels.__init__, "__defaults__", (ANSWER_SECONDS,))
        patched.setattr(clickhouse, "ANSWER_SECONDS", ANSWER_SECONDS)
        patched.setattr(quote_writer, "TIMEOUT_SECONDS", ANSWER_SECONDS)
        patched.setattr(quote_servers, "STRAGGLER_SECONDS", ANSWER_SECONDS)
        yield
