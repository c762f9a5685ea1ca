"""What follows a day in the oracle's books: positions left open, short deliveries, interest.

Nothing of `functions` is imported. Money in paise, prices in ten-thousandths of a rupee.
"""

from datetime import date, timedelta
from fractions import Fraction

from tests.support.ledger_oracle import Account, Lot
from tests.support.oracle_order import Position, half_up

PENALTY = Fraction(5, 10_000)
TAX_ON_PENALTY = Fraction(18, 100)
INTEREST_A_YEAR = Fraction(12, 100)


def deliver(account: Account, symbol: str, day: date, settles: date, today: date) -> bool:
    """A long position becomes a holding: its cost is paid, its margin is free. A short one takes
    from the holding. Whether anything was delivered."""
    account.settle(today)
    position = _at_rest(account, symbol, day)
    if position is None or position.net == 0:
        return False
    if position.net < 0:
        return _deliver_short(account, position, symbol, day, settles)
    held, cost = account.held(), position.worth
    number = len(account.log) + 1 + (account.cash < cost)  # a loan is an event before it
    lot = Lot(number, day, settles, position.net, cost)
    account.lots.setdefault(symbol, []).append(lot)
    position.net = position.worth = 0
    account.book("POSITION_DELIVERED", None, -cost, held)
    return True


def _deliver_short(
    account: Account, position: Position, symbol: str, day: date, settles: date
) -> bool:
    """Of what is short and was not valued: what is free and was there that day."""
    valued, _ = account.shortages.get((symbol, day), (0, 0))
    free = min(account.sellable(symbol), account.deliverable(symbol, day))
    quantity = min(free, -position.net - valued)
    if quantity <= 0:
        return False
    held, value = account.held(), half_up(Fraction(position.worth * quantity, -position.net))
    blocked = account.sell(symbol, quantity, value, day)
    position.net, position.worth = position.net + quantity, position.worth - value
    if settles > account.today:
        account.dues.add(settles, value, blocked)
    account.book("SHORT_DELIVERED", None, value, held)
    return True


def value_shortage(account: Account, symbol: str, day: date, price: int, today: date) -> bool:
    """What shares sold and not delivered are worth is taken as security, once."""
    account.settle(today)
    position = _at_rest(account, symbol, day)
    if position is None or position.net >= 0 or (symbol, day) in account.shortages:
        return False
    value = half_up(Fraction(-position.net * price, 100))
    account.shortages[symbol, day] = (-position.net, value)
    account.book("SHORT_VALUED", None, -value)
    return True


def close_out(account: Account, symbol: str, day: date, price: int, today: date) -> bool:
    """What is still short is bought, with a penalty; the security comes back."""
    account.settle(today)
    position = _at_rest(account, symbol, day)
    if position is None or (symbol, day) not in account.shortages:
        return False
    held, (_, back) = account.held(), account.shortages.pop((symbol, day))
    short = max(0, -position.net)
    value = half_up(Fraction(short * price, 100))
    penalty = half_up(value * PENALTY)
    gain = position.worth - value if short else 0
    if short:
        position.net = position.worth = 0
        position.realised += gain
    tax = half_up(penalty * TAX_ON_PENALTY)
    account.book("SHORT_CLOSED_OUT", None, gain + back - penalty - tax, held)
    return True


def charge_interest(account: Account, through: date, today: date) -> int:
    """A day's interest on the loan at its end, for each calendar day not charged yet."""
    account.settle(today)
    if account.charged_through is None:
        return 0
    days, day = 0, account.charged_through
    while (day := day + timedelta(days=1)) <= through:
        interest = half_up(account.loan_at_end(day) * INTEREST_A_YEAR / 365)
        if interest:
            account.book("INTEREST_CHARGED", None, -interest)
            days += 1
    through = max(through, account.charged_through)
    ended = account.borrowed == 0 and through >= today - timedelta(days=1)
    account.charged_through = None if ended else through
    return days


def _at_rest(account: Account, symbol: str, day: date) -> Position | None:
    """The position, unless one of its orders may still change it."""
    if any(order.intraday(symbol, day) for order in account.working()):
        return None
    return account.positions.get((symbol, day))
