"""Keras starts without the packages that it can do without, and these work afterwards."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"

STARTED = """
import sys
import blastfold.training.fold_job
import keras
assert keras.backend.backend() == "tensorflow"
early = {"cv2", "jax", "matplotlib", "scipy", "sklearn"} & set(sys.modules)
assert not early, early
import matplotlib.figure, sklearn.metrics
"""


def test_training_starts_without_packages_that_it_does_not_use(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS), "KERAS_HOME": str(tmp_path)}
    environment.pop("KERAS_BACKEND", None)
    run = subprocess.run(
        [sys.executable, "-c", STARTED], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
