"""From predictions to metrics, curves, intervals and comparisons."""
