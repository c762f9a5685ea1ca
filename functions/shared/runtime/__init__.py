"""What every function runs on: admission, the error table, logs and the stores it is given."""
