"""Runs side by side: one JSON file for programs."""
