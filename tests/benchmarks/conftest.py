"""Benchmarks compute with as many BLAS threads as the rules' scripts do."""

# Before NumPy is imported: the package asks for one BLAS thread. With more, products of small
# matrices spend several times the processor time, and ratios to other work are too high.
import blastfold  # noqa: F401
