"""What ships with every function and the edge borrows: rules, messages, stores, access, books."""
