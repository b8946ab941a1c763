"""Training: devices, batches, the trainer, resumable state, and the jobs that train or apply."""

from blastfold.core import lean_keras  # noqa: F401
