"""Training: devices, batches, the trainer, resumable state, and the jobs that train or apply."""
