"""Schemes planted among the honest, some of them made so as not to be seen.

Invariant: whoever takes part is on the list of the scheme, also where no rule could know.
"""

from typing import Final

from functions.shared.domain.surveillance.findings import Rule
from functions.shared.domain.surveillance.watched import MoneyOut
from infra.surveillance.population import DAY, SECOND, Population, Stock, Street, honest

CUSTOMERS: Final = 10_000
_WASHERS, _SPOOFERS, _FLOODERS, _TAKEN, _GROUPS = 40, 25, 15, 40, 8


def population(seed: int, customers: int = CUSTOMERS) -> Population:
    """A day of so many customers, a part of whom take part in schemes."""
    street = Street(seed)
    users = iter(range(1, 10 * customers))
    made = street.made
    made.planted = {rule.value: set() for rule in Rule if rule is not Rule.UNUSUAL}
    scale = customers / CUSTOMERS

    def some(count: int) -> list[int]:
        return [next(users) for _ in range(max(1, round(count * scale)))]

    for rule, count, plant in (
        (Rule.WASH_TRADING, _WASHERS, _wash), (Rule.SPOOFING, _SPOOFERS, _spoof),
        (Rule.ORDER_TO_TRADE, _FLOODERS, _flood), (Rule.TAKEOVER, _TAKEN, _take_over),
    ):  # fmt: skip
        for user in some(count):
            plant(street, user)
            made.planted[rule.value].add(user)
    for _ in range(max(1, round(_GROUPS * scale))):
        group = [next(users) for _ in range(street.random.randint(4, 10))]
        _pump(street, group)
        made.planted[Rule.PUMP_AND_DUMP.value].update(group)
    first = next(users)
    honest(street, range(first, customers + 1))
    made.happenings.sort(key=lambda each: each[1].at)
    return made


def _wash(street: Street, user: int) -> None:
    """Shares that go round; every sixth stays at or below the limit, some turn back less."""
    stock, at = street.pick(thin=0.5), street.at(0)
    size = street.size(stock, street.random.uniform(0.3, 3)) + 10
    few = street.random.random() < 1 / 6
    sloppy = street.random.random() < 0.2
    for _ in range(street.random.randint(7, 10) if few else street.random.randint(11, 35)):
        price = int(stock.price * street.random.gauss(1, 0.0004))
        street.trade(user, stock, "BUY", size, at, price)
        at += street.random.randint(5, 120) * SECOND
        back = int(size * street.random.uniform(0.85, 1)) if sloppy else size
        street.trade(user, stock, "SELL", back, at, price)
        at += street.random.randint(5, 120) * SECOND


def _spoof(street: Street, user: int) -> None:
    """Large orders on one side while small ones trade on the other; every fifth is too slow."""
    stock, at = street.pick(thin=0.2), street.at(0)
    small = street.size(stock, 0.2) + 1
    slow = street.random.random() < 0.2
    for _ in range(street.random.randint(2, 12)):
        life = street.random.randint(11, 25) if slow else street.random.randint(3, 9)
        street.cancel(user, stock, "BUY", small * street.random.randint(5, 30), at, life * SECOND)
        street.trade(user, stock, "SELL", small, at + SECOND)
        at += street.random.randint(30, 300) * SECOND


def _flood(street: Street, user: int) -> None:
    stock, at = street.pick(thin=0.1), street.at(0)
    for _ in range(street.random.randint(80, 500)):
        side, life = street.random.choice(("BUY", "SELL")), street.random.randint(1, 20)
        street.cancel(user, stock, side, street.size(stock, 0.3), at, life * SECOND)
        at += street.random.randint(1, 20) * SECOND
    street.trade(user, stock, "BUY", street.size(stock, 0.1), at)


def _take_over(street: Street, user: int) -> None:
    """A login that is new in every way, or (every fifth) only by its device, and what follows."""
    at = street.at()
    stealthy = street.random.random() < 0.2
    street.log_in(user, at, "LOGIN_OK" if stealthy else "CHALLENGE_PASSED", new=True)
    if street.random.random() < 0.4:
        street.log_in(user, at + 60 * SECOND, "BANK_CHANGE_ASKED")
    if street.random.random() < 0.3:
        street.log_in(user, at + 90 * SECOND, "TOTP_REPLACED")
    if street.random.random() < 0.3:
        stock = street.pick(thin=1.0)
        street.trade(user, stock, "BUY", street.size(stock, 5), at + 300 * SECOND)
    cash = street.random.randint(1, 400) * 1_000_000
    share = street.random.uniform(0.35, 1)
    street.add(user, MoneyOut(DAY, at + 900 * SECOND, int(cash * share), cash))


def _pump(street: Street, group: list[int]) -> None:
    """A group buys a thin stock up and sells it to those who follow; most are linked to the first
    by a device or a network, some to nobody."""
    stock = _quiet_thin_stock(street)
    hub = group[0]
    for member in group[1:]:
        if street.random.random() < 0.8:
            street.made.link(hub, member)
    figures = street.made.figures[stock.symbol, DAY]
    up, times = street.random.uniform(1.08, 1.25), street.random.uniform(2.5, 8)
    traded = street.figure(stock, figures, up, times)
    share = street.random.uniform(0.15, 0.6)
    each = max(1, int(traded * share) // len(group))
    at = street.at(0)
    for number, member in enumerate(group):
        rise = 1 + (up - 1) * number / len(group) / 2
        for _ in range(3):
            street.trade(member, stock, "BUY", max(1, each // 3), at, int(stock.price * rise))
            at += street.random.randint(10, 120) * SECOND
    at += 1800 * SECOND
    for member in group:
        sold = max(1, int(each * street.random.uniform(0.5, 1)))
        high = int(stock.price * street.random.uniform(1 + (up - 1) * 0.7, up))
        street.trade(member, stock, "SELL", sold, at, high)
        at += street.random.randint(10, 60) * SECOND


def _quiet_thin_stock(street: Street) -> Stock:
    while True:
        stock = street.pick(thin=1.0)
        if not stock.news:
            return stock
