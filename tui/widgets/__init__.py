"""The panes of the screens. A widget shows state it is given and posts what the user wants."""
