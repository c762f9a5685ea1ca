"""The only door to the money tables: one module per verb, each one call into the database."""
