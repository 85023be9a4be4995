"""Arrays and drawings of the figures."""
