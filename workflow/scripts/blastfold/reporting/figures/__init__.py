"""Figures of the data sets, the trainings, the evaluation and the comparison (Matplotlib)."""
