"""The two loops over pixels and looks, compiled: fitting a history, going on from a state."""
