"""Trains a LLaVA-NeXT in stages and ends in a folder that `towereval run --model PATH` takes."""
