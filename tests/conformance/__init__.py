"""Holds the metrics against vectors: inputs and what the official scorers made of them."""
