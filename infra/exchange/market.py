"""The simulated market's fair values: a seeded stochastic process, pure and deterministic.

Each share's log price, relative to its anchor (the previous close), follows a mean-reverting walk
(Ornstein-Uhlenbeck) driven by one common factor and a noise of its own:

    dx_i = -K x_i dt + S_i (R dW_market + sqrt(1 - R^2) dW_i)

with K = 2e-5 per second, R = 0.55 (a large cap's usual correlation with its market) and S_i drawn
once per share between 20 and 45 per cent a year, over 250 days of 22,500 trading seconds. That
leaves a stationary deviation of about 2.5 per cent; values are held inside 9/10 of the price band.
The index is its base times the weighted mean of its shares' price relatives.

Time moves in fixed steps, so the path depends on the seed alone and not on how often it is asked.
Floats are right here: this models a fair value, and what leaves is an integer on the tick.
"""

import math

import numpy as np

from infra.exchange.instruments import Instrument, Listing

STEP_S = 0.05
MEAN_REVERSION = 2e-5
CORRELATION = 0.55
TRADING_SECONDS_PER_YEAR = 250 * 22_500
VOLATILITY_RANGE = (0.20, 0.45)
BAND_SHARE = 0.9


class Market:
    """Fair values of all shares, in the listing's order, and the index level."""

    def __init__(self, listing: Listing, seed: int) -> None:
        shares = listing.instruments
        self._rng = np.random.default_rng(seed)
        yearly = self._rng.uniform(*VOLATILITY_RANGE, len(shares))
        self._scale = yearly / math.sqrt(TRADING_SECONDS_PER_YEAR) * math.sqrt(STEP_S)
        self._own_share = math.sqrt(1 - CORRELATION**2)
        self._base = np.array([share.reference_price for share in shares], dtype=float)
        self._anchor = self._base.copy()
        self._limit = np.array([share.band_percent / 100 * BAND_SHARE for share in shares])
        self._x = np.zeros(len(shares))
        weights = np.array([share.index_weight for share in shares], dtype=float)
        self._weights = weights / weights.sum()
        self._index = listing.index
        self.fair_values: list[float] = self._base.tolist()
        self.steps = 0

    def step(self) -> None:
        """Move all shares on by STEP_S seconds."""
        noise = self._rng.standard_normal(len(self._x) + 1)
        common, own = noise[0], noise[1:]
        self._x *= 1 - MEAN_REVERSION * STEP_S
        self._x += self._scale * (CORRELATION * common + self._own_share * own)
        np.clip(self._x, np.log1p(-self._limit), np.log1p(self._limit), out=self._x)
        self.steps += 1
        self._publish()

    def anchor(self, previous_closes: list[int], last_prices: list[int]) -> None:
        """Start from these last prices, to revert to these closes; both in 1/10,000 rupee."""
        self._anchor = np.array(previous_closes, dtype=float)
        self._x = np.log(np.array(last_prices, dtype=float) / self._anchor)
        self._publish()

    def move(self, place: int, price: float) -> None:
        """Put a share's fair value somewhere, to revert to from here on; in 1/10,000 rupee."""
        self._anchor[place] = price
        self._x[place] = 0.0
        self.fair_values[place] = price

    def add(self, share: Instrument) -> None:
        """Take a newly listed share up, outside the index."""
        yearly = self._rng.uniform(*VOLATILITY_RANGE)
        scale = yearly / math.sqrt(TRADING_SECONDS_PER_YEAR) * math.sqrt(STEP_S)
        price = float(share.reference_price)
        self._scale = np.append(self._scale, scale)
        self._base = np.append(self._base, price)
        self._anchor = np.append(self._anchor, price)
        self._limit = np.append(self._limit, share.band_percent / 100 * BAND_SHARE)
        self._x = np.append(self._x, 0.0)
        self._weights = np.append(self._weights, 0.0)
        self.fair_values.append(price)

    def index_level(self) -> int:
        """Return the index in 1/10,000 point, on the index's tick."""
        relatives = np.array(self.fair_values) / self._base
        level = self._index.reference_price * float(self._weights @ relatives)
        return round(level / self._index.tick) * self._index.tick

    def _publish(self) -> None:
        self.fair_values = (self._anchor * np.exp(self._x)).tolist()
