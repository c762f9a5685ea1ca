"""What the broker's own people do: support, risk officers, auditors; and the trail of it."""
