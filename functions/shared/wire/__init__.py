"""Messages that cross a process boundary, each with its versioned codec."""
