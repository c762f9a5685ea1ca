"""What the venue announces by itself: phases (35=h), securities' states (f), new listings (d).

Invariant: an announcement changes nothing; the floor has changed already when it is made. `at` is
the business instant of the change.
"""

from typing import NamedTuple

from infra.exchange.instruments import Instrument
from infra.exchange.phases import RULES, Phase
from infra.exchange.prices import format_price
from infra.exchange.reports import Fields


class PhaseNotice(NamedTuple):
    """35=h: the market is in a phase. `security_class` is empty when all securities are; `session`
    and `req_id` are set when it answers a request (35=g) of that session.
    """

    phase: Phase
    security_class: str
    at: str
    text: str = ""
    session: str = ""
    req_id: str = ""

    def fields(self) -> Fields:
        """Return the body as tag and value."""
        fields: Fields = [
            (336, self.phase.value),
            (325, "N" if self.req_id else "Y"),
            (340, RULES[self.phase].trad_ses_status),
            (341, self.at),
        ]
        if self.security_class:
            fields.append((625, self.security_class))
        if self.req_id:
            fields.append((335, self.req_id))
        if self.text:
            fields.append((58, self.text))
        return fields


class StatusNotice(NamedTuple):
    """35=f: one security's phase and price band. Prices in 1/10,000 rupee; `price` is what an
    auction found, or 0.
    """

    symbol: str
    phase: Phase
    low: int
    high: int
    at: str
    text: str = ""
    price: int = 0

    def fields(self) -> Fields:
        """Return the body as tag and value."""
        fields: Fields = [
            (55, self.symbol),
            (336, self.phase.value),
            (325, "Y"),
            (326, RULES[self.phase].security_status),
            (332, format_price(self.high)),
            (333, format_price(self.low)),
            (60, self.at),
        ]
        if self.price:
            fields.append((31, format_price(self.price)))
        if self.text:
            fields.append((58, self.text))
        return fields


class ListingNotice(NamedTuple):
    """35=d: a security that is listed from now on. The tick is MinPriceIncrement(969), the sector
    SecurityGroup(1151) and the band HighLimitPrice(1149) in per cent (PriceLimitType, 1306=2), as
    later versions of FIX have them.
    """

    instrument: Instrument
    at: str

    def fields(self) -> Fields:
        """Return the body as tag and value."""
        share = self.instrument
        fields: Fields = [
            (320, share.symbol),
            (322, share.symbol),
            (323, "4"),
            (55, share.symbol),
            (107, share.name),
            (15, "INR"),
            (561, str(share.lot)),
            (969, format_price(share.tick)),
            (140, format_price(share.reference_price)),
            (1151, share.sector),
            (1306, "2"),
            (1149, str(share.band_percent)),
            (60, self.at),
        ]
        if share.isin:
            fields += [(48, share.isin), (22, "4")]
        return fields


Notice = PhaseNotice | StatusNotice | ListingNotice
MSG_TYPES: dict[type[Notice], str] = {PhaseNotice: "h", StatusNotice: "f", ListingNotice: "d"}
