"""Plots labelled with words of any language, and questions about them, after Centurio's SMPQA."""
