"""Pure rules of the field: money, instruments, order life, risk, charges. Standard library only."""
