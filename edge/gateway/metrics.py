"""What the order gateway counts, by session."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class GatewayMetrics:
    """One set per process, in the registry that /metrics serves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str) -> Counter:
            return Counter(f"outcry_gateway_{name}", meaning, ("session",), registry=registry)

        self.commands = counter("commands", "orders, cancels and replaces sent")
        self.resent = counter("commands_resent", "sent again with PossResend")
        self.status_requests = counter("status_requests", "questions about unanswered orders")
        self.reports = counter("reports", "execution reports and cancel rejects handed on")
        self.refused = counter("reports_refused", "messages put aside because they break the rules")
        self.session_rejects = counter(
            "session_rejects", "our messages that the venue refused whole"
        )
        self.unowned = counter(
            "unowned_cancels", "cancels of orders at the venue that are no working orders of ours"
        )
        self.resumed = counter("resumed", "times a session was started from its checkpoint")
        self.differences = Gauge(
            "outcry_gateway_differences",
            "orders that the venue and the ledger tell differently; any is for a person to look at",
            ("session", "kind"),
            registry=registry,
        )
        self.compared = Gauge(
            "outcry_gateway_orders_compared",
            "1 once the open orders were compared with the venue's since the logon",
            ("session",),
            registry=registry,
        )
        self.logged_on = Gauge(
            "outcry_gateway_logged_on", "1 while logged on", ("session",), registry=registry
        )
        self.next_sent = Gauge(
            "outcry_gateway_next_sent",
            "MsgSeqNum of our next message",
            ("session",),
            registry=registry,
        )
        self.next_expected = Gauge(
            "outcry_gateway_next_expected",
            "MsgSeqNum of the venue's next message",
            ("session",),
            registry=registry,
        )
        self.applied_through = Gauge(
            "outcry_gateway_applied_through",
            "MsgSeqNum below which the ledger has applied every report",
            ("session",),
            registry=registry,
        )
        self.round_trip = Histogram(
            "outcry_gateway_round_trip_seconds",
            "from a command to its first answer, and from a test request to its heartbeat",
            ("session", "kind"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.outstanding = Gauge(
            "outcry_gateway_reports_outstanding",
            "reports handed on and not yet applied in the ledger",
            ("session",),
            registry=registry,
        )
