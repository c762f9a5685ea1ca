"""The one registry of what a user can do: keys, footer, help and palette are all read from it."""

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. `name` is the method `action_{name}` of the screen or app that offers it,
    with what it is called with in brackets, if anything."""

    name: str
    keys: str
    label: str
    description: str
    in_footer: bool = True
    works_while_typing: bool = False


TRADING = (
    Action("market", "1", "Market", "Prices, ticket, orders, holdings and positions", False),
    Action("desk", "2", "Order desk", "Orders beside what waits for a trigger, and plans"),
    Action("buy", "b", "Buy", "Buy the selected symbol"),
    Action("sell", "s", "Sell", "Sell the selected symbol"),
    Action("modify", "m", "Modify", "Change the selected order's quantity or price", False),
    Action("cancel", "c", "Cancel", "Cancel the selected order or plan", False),
    Action("search", "slash", "Search", "Find an instrument, or see the day's movers"),
    Action("chart", "g", "Chart", "Draw the selected symbol"),
    Action("remove", "x,delete", "Remove", "Take the selected symbol off the watchlist", False),
    Action("list(-1)", "left_square_bracket", "List before", "The watchlist before", False),
    Action("list(1)", "right_square_bracket", "Next list", "The next watchlist", False),
    Action("open_list", "n", "New list", "Open another watchlist", False),
    Action("drop_list", "X", "Drop list", "Drop the watchlist that is shown", False),
    Action("why", "w", "Why", "An order's checks, fills, charges and money", False),
    Action("watchlist", "W", "Watch", "Go to the watchlist", False),
    Action("orders", "o", "Orders", "Go to the orders", False),
    Action("waiting", "t", "Waiting", "Go to what waits for its trigger", False),
    Action("plans", "l", "Plans", "Go to the orders in slices", False),
    Action("alerts", "a", "Alerts", "Read the alerts"),
    Action("holdings", "h", "Holdings", "Go to the holdings"),
    Action("positions", "p", "Positions", "Go to the day's positions", False),
    Action("pause", "z", "Pause", "Hold the prices still; what arrives meanwhile is kept", False),
    Action("reconnect", "r", "Reconnect", "Connect again after another terminal took over", False),
    Action("log_out", "ctrl+l", "Log out", "End the session and go back to the sign-in", False),
    Action("leave", "escape", "Back", "Leave the ticket for the watchlist", True, True),
    Action("help", "question_mark", "Help", "Show this help"),
)

EVERYWHERE = (
    Action(
        "next_theme", "ctrl+t", "Theme", "Dark, light or high contrast; it is kept", False, True
    ),
    Action("quit", "ctrl+q,ctrl+c", "Quit", "Leave the terminal", works_while_typing=True),
)
"""Offered by the application itself, over every screen and dialog."""

CONFIRM = (
    Action("accept", "enter,y", "Yes", "Send it"),
    Action("dismiss_screen", "escape,n", "No", "Go back without sending"),
)

SEARCH = (
    Action("to_table", "down", "To the list", "Go from the text to what was found"),
    Action("add", "plus", "Add", "Put the marked symbol on the watchlist", works_while_typing=True),
    Action("buy", "b", "Buy", "Buy the marked symbol"),
    Action("sell", "s", "Sell", "Sell the marked symbol"),
    Action("movers(-1)", "left", "List before", "The movers' list before", False),
    Action("movers(1)", "right", "Next list", "The movers' next list"),
    Action("dismiss_screen", "escape", "Back", "Back to the market", works_while_typing=True),
)
"""In the field letters are text: Down goes to what was found, where they are keys."""

CHART = (
    Action("range(-1)", "left_square_bracket", "Shorter", "A shorter range"),
    Action("range(1)", "right_square_bracket", "Longer", "A longer range"),
    Action("add", "plus", "Add", "Put the symbol on the watchlist"),
    Action("buy", "b", "Buy", "Buy it"),
    Action("sell", "s", "Sell", "Sell it"),
    Action("dismiss_screen", "escape", "Back", "Take the crosshair away, then go back"),
)

DIALOG = (Action("dismiss_screen", "escape", "Back", "Close without a change"),)

IN_TABLES = (
    ("↑ ↓", "Move in a table; PgUp, PgDn, Home and End too"),
    ("Enter", "A price's ticket, a ticket's review, an order's life"),
    ("← → Space", "Change a choice of the ticket, such as BUY or SELL"),
    ("Tab", "Next field or pane; Shift+Tab the one before"),
    ("^p", "Every action by name"),
)
"""Keys that belong to widgets, named for the help screen."""

KEY_NAMES = {
    "slash": "/",
    "question_mark": "?",
    "plus": "+",
    "down": "↓",
    "right": "→",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "ctrl+q": "^q",
    "ctrl+t": "^t",
    "ctrl+l": "^l",
    "escape": "Esc",
}


def bindings(actions: tuple[Action, ...]) -> list[BindingType]:
    """Textual's bindings for a screen that offers `actions`."""
    return [
        Binding(
            action.keys,
            action.name,
            action.label,
            show=action.in_footer,
            key_display=key_name(action),
            tooltip=action.description,
            id=action.name,
            priority=action.works_while_typing and action.name != "leave",
        )
        for action in actions
    ]


def key_name(action: Action) -> str:
    """The first key as printed on a keyboard."""
    first = action.keys.split(",")[0]
    return KEY_NAMES.get(first, first)
