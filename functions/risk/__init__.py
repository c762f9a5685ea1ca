"""The pre-trade check asked without placing, and the limits it judges by."""
