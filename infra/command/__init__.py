"""The `outcry` command: what a person types, and nothing that runs by itself."""
