"""Blastfold: an honest comparison of CNNs that detect acute lymphoblastic leukaemia.

The package is found next to the rule scripts and is never installed. It imports nothing
here, so that each rule's environment needs only what its own module uses.
"""

import gc
import os

__version__ = "0.1.0"

# The order in which a sum is added up, and so its last digits, depends on the number of threads.
# Snakemake gives every job as many BLAS threads as the scheduler has cores for it. One thread makes
# results independent of that number; NumPy reads these variables when it is imported, later.
os.environ |= dict.fromkeys(
    [
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "GOTO_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ],
    "1",
)

# Importing Keras creates so many objects that the search for unreachable ones takes a fifth of its
# time.
gc.set_threshold(50_000, 50, 100)
