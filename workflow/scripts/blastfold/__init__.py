"""Blastfold: an honest comparison of CNNs that detect acute lymphoblastic leukaemia.

The package is found next to the rule scripts and is never installed. It imports nothing
here, so that each rule's environment needs only what its own module uses.
"""

__version__ = "0.1.0"
