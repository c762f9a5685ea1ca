"""A choice among a few words on one line: arrows or space change it, a click sets it."""

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

MORE = " ›"
"""Stands behind the options where there are others."""
_GROUND = {"BUY": "$success", "SELL": "$error"}


class Choice(Widget, can_focus=True):
    """Shows the options with the chosen one marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "step(1)", "Next", show=False),
        Binding("left", "step(-1)", "Previous", show=False),
        Binding("enter", "submit", "Review", show=False),
    ]

    value: reactive[str] = reactive("", layout=False)

    @dataclass
    class Changed(Message):
        """Another option is chosen."""

        choice: "Choice"
        value: str

        @property
        def control(self) -> "Choice":
            return self.choice

    @dataclass
    class Submitted(Message):
        """Enter: the choice stands."""

        choice: "Choice"

        @property
        def control(self) -> "Choice":
            return self.choice

    def __init__(self, *options: str, name: str) -> None:
        super().__init__(name=name, id=name)
        self.options = options
        self.set_reactive(Choice.value, options[0])

    def render(self) -> Content:
        shown = self._shown()
        words = (
            (f" {_words(option)} ", f"$background on {_GROUND.get(option, '$primary')} bold")
            if option == self.value
            else (f" {_words(option)} ", "$faint")
            for option in shown
        )
        more = "" if len(shown) == len(self.options) else MORE
        return Content.assemble(*words, (more, "$faint"))

    def on_resize(self) -> None:
        self.refresh()

    def _shown(self) -> tuple[str, ...]:
        """Every option; where they have no room, the chosen one and as many behind it as fit."""
        room = self.content_size.width
        if not room or sum(map(_width, self.options)) <= room:
            return self.options
        room -= len(MORE)
        first = self.options.index(self.value)
        shown: tuple[str, ...] = ()
        for option in (*self.options[first:], *self.options[:first]):
            room -= _width(option)
            if room < 0:
                break
            shown = (*shown, option)
        return shown or (self.value,)

    def watch_value(self) -> None:
        self.post_message(self.Changed(self, self.value))

    def action_step(self, by: int) -> None:
        index = self.options.index(self.value) + by
        self.value = self.options[index % len(self.options)]

    def action_submit(self) -> None:
        self.post_message(self.Submitted(self))

    def on_click(self, event: events.Click) -> None:
        start = 0
        for option in self._shown():
            end = start + _width(option)
            if start <= event.get_content_offset_capture(self).x < end:
                self.value = option
            start = end


def _words(option: str) -> str:
    return option.replace("_", " ")


def _width(option: str) -> int:
    """The cells that it takes, one of air on either side."""
    return len(option) + 2
