"""Trials ranked, measured and re-ranked: the one home of that arithmetic."""
