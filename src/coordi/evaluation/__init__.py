"""Measuring: rankings, metrics over them, and reports that say what they are of."""
