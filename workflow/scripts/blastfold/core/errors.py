"""Errors a user can act on: shown as their message alone, without a traceback."""


class BlastfoldError(Exception):
    """Base of every error that Blastfold raises on purpose."""


class InputError(BlastfoldError):
    """A file, a key or a column does not hold what was expected.

    The message names the place, what was received and what is expected.
    """


class MissingDeviceError(BlastfoldError):
    """The configured device does not exist on this machine."""


class OutOfMemoryError(BlastfoldError):
    """The device has no memory for a batch; the message proposes a change."""
