"""What a load found, as numbers for programs and as lines for people."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from infra.load.generator import Opened, Window
from infra.load.histogram import Histogram

_PERCENTS = {"p50_ms": 50.0, "p99_ms": 99.0, "p99_9_ms": 99.9}
#: What a close code or status that a load meets is about.
_HINTS = {
    4008: "OUTCRY_FANOUT_CONNECTIONS_PER_USER bounds those of one user",
    429: "OUTCRY_FANOUT_CONNECTIONS_PER_ADDRESS bounds those of one address",
    503: "OUTCRY_FANOUT_CONNECTIONS and OUTCRY_FANOUT_OPENINGS_PER_SECOND bound those let in",
    4001: "the token was refused",
    4002: "the generator did not read fast enough",
    4004: "the token ended: a load is at most as long as its tokens live",
}


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """Of the server's processes, in the window; a connection's bytes are what came with it."""

    per_processor_second: float
    processor_share: float
    resident_bytes: int
    bytes_per_connection: float

    def text(self) -> str:
        deliveries = f"{self.per_processor_second:,.0f} deliveries a processor second"
        kilobytes = f"{self.bytes_per_connection / 1_000:.1f} KB a connection"
        return f"{deliveries}, {self.processor_share:.0%} of a core, {kilobytes}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything a load found. Times are milliseconds where their names say so; a status of 0 is
    no answer, a close code of 0 no close frame."""

    asked: int
    opened: int
    opening_seconds: float
    opening_ms: dict[str, float]
    turned_away: dict[int, int]
    refused: dict[int, int]
    seconds: float
    received: int
    per_second: float
    age_ms: dict[str, float]
    ages: int
    replaced: int
    looking: int
    silent: int
    lost: dict[int, int]
    generator_share: float
    generator_late_ms: dict[str, float]
    node: NodeReport | None

    @property
    def whole(self) -> bool:
        """Whether every connection came in, was served and stayed."""
        return self.opened == self.asked and not (self.lost or self.silent)

    def numbers(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Lines for a person."""
        opened = f"{self.opened:,} of {self.asked:,}"
        counted = f"{self.ages:,} prices on {self.looking:,} connections"
        lines = [
            f"opened     {opened} in {self.opening_seconds:.1f} s, each {_said(self.opening_ms)}",
            f"received   {self.per_second:,.0f} prices a second for {self.seconds:.0f} s",
            f"age        {_said(self.age_ms)}",
            f"           of {counted}, {self.replaced:,} replaced by newer ones",
        ]
        if self.node is not None:
            lines.append(f"node       {self.node.text()}")
        share, late = f"{self.generator_share:.0%} of a core", _said(self.generator_late_ms)
        lines.append(f"generator  {share}, late by {late}")
        told = {"turned away": self.turned_away, "refused": self.refused, "lost": self.lost}
        for name, counts in told.items():
            lines += [_line(name, code, count) for code, count in sorted(counts.items())]
        if self.silent:
            lines.append(f"silent     {self.silent:,} connections received no price")
        return "\n".join(lines)


def make_report(asked: int, opened: Opened, window: Window) -> Report:
    """The report of one window."""
    return Report(
        asked=asked,
        opened=opened.connections,
        opening_seconds=round(opened.seconds, 2),
        opening_ms=milliseconds(opened.waits),
        turned_away=dict(opened.turned_away),
        refused=_coded(opened.refused),
        seconds=round(window.seconds, 2),
        received=window.received,
        per_second=round(window.received / window.seconds, 1),
        age_ms=milliseconds(window.ages),
        ages=window.ages.total,
        replaced=window.replaced,
        looking=window.looking,
        silent=window.silent,
        lost=_coded(window.lost),
        generator_share=round(window.processor_seconds / window.seconds, 3),
        generator_late_ms=milliseconds(window.late),
        node=_of_the_node(opened, window),
    )


def milliseconds(found: Histogram) -> dict[str, float]:
    """The middle, the far end and the greatest of microseconds."""
    told = {name: found.percentile(percent) for name, percent in _PERCENTS.items()}
    return {
        name: round(value / 1_000, 1) for name, value in (told | {"max_ms": found.greatest}).items()
    }


def _of_the_node(opened: Opened, window: Window) -> NodeReport | None:
    if window.before is None or window.after is None or opened.before is None:
        return None
    used = window.after.processor_seconds - window.before.processor_seconds
    grown = window.after.resident_bytes - opened.before.resident_bytes
    return NodeReport(
        per_processor_second=round(window.received / max(used, 0.01), 1),
        processor_share=round(used / window.seconds, 3),
        resident_bytes=window.after.resident_bytes,
        bytes_per_connection=round(grown / max(opened.connections, 1), 1),
    )


def _coded(counts: "Counter[int | None]") -> dict[int, int]:
    """By code, with 0 for none."""
    return {code or 0: count for code, count in counts.items()}


def _said(times: dict[str, float]) -> str:
    p50, p99, far, most = times.values()
    return f"p50 {p50:,.1f} p99 {p99:,.1f} p99.9 {far:,.1f} max {most:,.1f} ms"


def _line(name: str, code: int, count: int) -> str:
    hint = _HINTS.get(code)
    return f"{name:<10} {count:,} times by {code or 'silence'}{f': {hint}' if hint else ''}"
