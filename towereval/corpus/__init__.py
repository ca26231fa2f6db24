"""Training data: the record, and what is made of it before a model learns from it."""
