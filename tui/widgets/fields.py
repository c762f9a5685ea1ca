"""The ticket's fields. A letter typed among figures is no figure: it begins a symbol."""

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import Input


class NumberField(Input):
    """Takes every key as an Input does, but hands letters to whoever holds it."""

    @dataclass
    class Lettered(Message):
        """A letter was typed."""

        field: "NumberField"
        letter: str

        @property
        def control(self) -> "NumberField":
            return self.field

    async def _on_key(self, event: events.Key) -> None:
        # Runs before Input's own handler, which prevent_default keeps from running.
        if event.character is not None and event.character.isalpha() and event.is_printable:
            event.stop()
            event.prevent_default()
            self.post_message(self.Lettered(self, event.character))


class SymbolField(Input):
    """Reached by Tab it is selected whole, to be typed over; begun elsewhere it goes on."""

    _is_begun = False

    def begin(self, letter: str) -> None:
        """Take the focus with `letter` typed already; a fast hand's next letters follow it."""
        if self.screen.focused is self:
            self.insert_text_at_cursor(letter)
            return
        self._is_begun = True
        self.value = letter
        self.cursor_position = len(letter)
        self.screen.set_focus(self)

    def _on_focus(self, event: events.Focus) -> None:
        # Runs before Input's own handler, which reads the switch.
        self.select_on_focus = not self._is_begun
        self._is_begun = False
