"""Data sets: import of every format, generated smears, permuted labels, selected images."""
