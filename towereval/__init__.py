"""Scores multilingual vision-language models, per language, with numbers one can trust."""

__version__ = "0.1.0"
