"""What `outcry reconcile` asks for: the ledger beside the venue's book, the bank's and itself."""

from infra.command import reconcile, reconcile_bank, verify_ledger
from infra.command.ledger_app import own_anchors
from infra.command.place import home, owner_urls, running_stack
from infra.command.report import Report
from infra.local.bank import read_bank_token


def compare() -> Report:
    """Every comparison of the running stack's books. Raises Failure where none runs."""
    stack = running_stack(place := home())
    urls, anchors = owner_urls(stack), own_anchors(stack)
    report = reconcile.run(urls, stack.exchange, stack.stores.streams)
    report.add(reconcile_bank.run(urls, stack.bank, read_bank_token(place)))
    report.add(verify_ledger.run(urls, verify_ledger.Anchors(*anchors) if anchors else None))
    return report
