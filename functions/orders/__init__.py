"""Orders: place, change, cancel, list. One file per use case."""
