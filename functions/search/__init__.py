"""Finding an instrument by the beginning of its symbol or of a word in its name."""
