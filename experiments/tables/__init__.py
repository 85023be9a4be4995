"""Tables of the published results."""
