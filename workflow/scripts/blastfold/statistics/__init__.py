"""Statistics of the comparison: intervals, tests, calibration and the audit of printed results.

The package imports nothing here; every module names its own needs.
"""
