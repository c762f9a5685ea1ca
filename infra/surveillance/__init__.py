"""A simulated population with planted schemes, the forest that is grown on it, and how well the
fraud watch finds what was planted. Nothing of it runs in the stack."""
