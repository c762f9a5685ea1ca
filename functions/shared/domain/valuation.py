"""What shares and positions are worth at the last price, in paise: one rule for every door.

Invariant: each row is rounded on its own, half up, so a sum over rows is the same paise wherever it
is made. Prices in ten-thousandths of a rupee, quantities in shares.
"""

from functions.shared.domain.money import value_of


def day_base(quantity: int, bought_today: int, cost: int, close: int) -> int:
    """What a holding's gain of the day is counted from: shares bought today from what they cost,
    the others from the last day's close; the average cost stands for the price of the day's buys.
    `quantity` is above zero."""
    return value_of(quantity - bought_today, close) + cost * bought_today // quantity


def unrealised(net: int, open_value: int, ltp: int) -> int:
    """What closing a position of `net` shares, signed, would bring beyond what it was entered at.
    A delivery sale of shares held before would be closed by buying them back."""
    return value_of(net, ltp) - (open_value if net > 0 else -open_value)
