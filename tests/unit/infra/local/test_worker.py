"""What a worker says on standard error of a handler that raised."""

from typing import Any

import pytest

from infra.local.gateway import worker
from infra.local.gateway.worker import Invocation


@pytest.mark.parametrize(
    ("error", "traced"), [(Exception("Unauthorized"), False), (KeyError("x"), True)]
)
def test_a_fault_is_traced_and_a_401_of_the_authorizer_is_not(
    error: Exception, traced: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def raising(event: dict[str, Any], context: object) -> None:
        raise error

    outcome = worker._invoke(Invocation("F", "f", "r", 1.0, b"{}"), {"f": raising})
    assert (outcome.result, outcome.error) == (None, type(error).__name__)
    assert ("Traceback" in capsys.readouterr().err) is traced
