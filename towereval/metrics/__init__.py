"""The metrics, one file a family; below each metric the pure functions that do its work."""
