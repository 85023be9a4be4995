"""Metrics: pure functions, and torchmetrics classes that sum counts over them."""
