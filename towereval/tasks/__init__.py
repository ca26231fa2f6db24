"""Benchmarks, one file each; found by `towereval.plugins`."""

from towereval.plugins import search_path

__path__ = search_path("tasks")
