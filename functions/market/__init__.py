"""Public facts of the market, and what the API says of itself."""
