"""What every long-lived process shares: health, logs, back-off, threads that fail loudly."""
