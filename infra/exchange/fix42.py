"""Messages of the venue as FIX 4.2 has them. Pure: 4.4 fields in, 4.2 fields out.

Differences (FIX 4.2 volume 4): ExecTransType(20) says what a report is; a fill has ExecType(150) 1
or 2, a status, bust or correction the order's state; there are fewer reject reasons; and what came
later is left out.
"""

from infra.exchange.reports import ExecType, Fields

#: Tags of 4.4 messages that FIX 4.2 does not have.
_LATER = frozenset({527, 584, 625, 797, 851, 911, 912, 969, 1151})
_TRANSACTIONS = {
    ExecType.BUST.value: "1",
    ExecType.CORRECT.value: "2",
    ExecType.STATUS.value: "3",
}
#: ExecType values that 4.2 replaces with the order's state.
_STATE = frozenset({ExecType.TRADE.value, *_TRANSACTIONS})
#: OrdRejReason and CxlRejReason that 4.2 does not know become its "broker option".
_REJECT_REASONS = frozenset({"0", "1", "2", "3", "4", "5", "6"})
_CANCEL_REASONS = frozenset({"0", "1", "2", "3"})
_ORDER_OPTION, _CANCEL_OPTION = "0", "2"
#: ExecRestatementReason went up to 5 in 4.2.
_RESTATEMENTS = frozenset({"3"})


def downgrade(msg_type: str, fields: Fields) -> Fields:
    """Return the body of a message as FIX 4.2 writes it."""
    kept = [(tag, text) for tag, text in fields if tag not in _LATER]
    match msg_type:
        case "8":
            return _execution(kept)
        case "9":
            return [
                (tag, _CANCEL_OPTION if tag == 102 and text not in _CANCEL_REASONS else text)
                for tag, text in kept
            ]
        case _:
            return kept


def _execution(fields: Fields) -> Fields:
    values = dict(fields)
    exec_type, status = values[150], values[39]
    report: Fields = [(20, _TRANSACTIONS.get(exec_type, "0"))]
    for tag, text in fields:
        if tag == 150 and exec_type in _STATE:
            report.append((150, status))
        elif tag == 103 and text not in _REJECT_REASONS:
            report.append((103, _ORDER_OPTION))
        elif tag != 378 or text in _RESTATEMENTS:
            report.append((tag, text))
    return report
