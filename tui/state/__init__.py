"""What the terminal knows, as values and pure functions: no Textual, no I/O, no own clock."""
