"""FIX 4.2 beside 4.4: our messages as 4.2 has them, and its reports as 4.4 would tell them. Pure.

Sources: FIX 4.2 volume 4 and the venue's dialect (infra/fix). In 4.2 ExecTransType(20) says what a
report is and a fill has ExecType(150) 1 or 2; 4.4 has ExecType alone. HandlInst(21) is required.
"""

from collections.abc import Mapping
from typing import Final

from edge.gateway.translate import Fields

_HANDLED: Final = frozenset({"D", "G"})
#: ExecTransType(20) that rules ExecType: cancel, correct, status.
_TRANSACTIONS: Final = {"1": "H", "2": "G", "3": "I"}
_FILLS: Final = frozenset("12")


def outgoing(fields: Fields) -> Fields:
    """One of our messages in 4.2. It has no mass status request (35=AF)."""
    kind = dict(fields)[35]
    return [*fields, (21, "1")] if kind in _HANDLED else fields


def incoming(fields: Mapping[int, str]) -> dict[int, str]:
    """The venue's message with ExecType(150) as 4.4 has it; whatever is no 4.2 report stays."""
    told = dict(fields)
    if told.get(8) != "FIX.4.2" or told.get(35) != "8":
        return told
    transaction = told.get(20, "")
    if transaction in _TRANSACTIONS:
        told[150] = _TRANSACTIONS[transaction]
    elif told.get(150) in _FILLS:
        told[150] = "F"
    return told
