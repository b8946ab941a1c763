"""Before a run: what an experiment will cost."""
