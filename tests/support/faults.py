"""How much the tests of faults try: BLASTFOLD_FAULTS is short (unset), long or full."""

import os


def choose(short, long, full):
    """Return the value for this run: `make test`, `make test-faults` or with FULL=1."""
    return {"short": short, "long": long, "full": full}[os.environ.get("BLASTFOLD_FAULTS", "short")]
