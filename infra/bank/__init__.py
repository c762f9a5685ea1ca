"""A simulated bank: money in and out of customers' bank accounts, over HTTP on the loopback."""
