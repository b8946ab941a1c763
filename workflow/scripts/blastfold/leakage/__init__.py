"""Leakage: duplicates, leakage groups, and what crosses a split."""
