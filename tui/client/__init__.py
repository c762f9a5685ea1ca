"""The terminal's side of the broker's HTTP and stream contract."""
