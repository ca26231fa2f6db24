"""Any hub id or folder: asked by its own processor's chat template, in a list of parts.

Which revision, precision and limits a model needs are its family's affair: write an adapter for a
model that you publish numbers of.
"""

from __future__ import annotations

from towereval.family import Family

adapter = Family(name="generic", version=2, checkpoints={})
