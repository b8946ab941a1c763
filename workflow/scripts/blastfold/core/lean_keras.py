"""Keras without the packages that it imports and no job uses: half of its time to start.

Keras imports Matplotlib, scikit-learn and OpenCV for drawing and for wrappers, and TensorFlow's
converter imports JAX, all within ``try``: they do without what is not installed. Whoever imports
Keras for the first time takes it from here; the rooms ``networks`` and ``training`` do so before
any of their modules. All these packages can be imported later.
"""

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

COMPANIONS = ("cv2", "matplotlib", "sklearn")
"""What Keras imports where it is installed, whatever its backend."""

COMPANIONS_OF_TENSORFLOW = ("jax", "scipy")
"""The same where TensorFlow is the backend."""


@contextlib.contextmanager
def _hidden(packages: Iterable[str]) -> Iterator[None]:
    """Let packages that are not imported yet look as if they were not installed."""
    hidden = [package for package in packages if package not in sys.modules]
    # Python's own way: an import of a name with the entry None raises ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for package in hidden:
            sys.modules.pop(package, None)


def _backend() -> str:
    """Return the backend that Keras will choose: the variable's, then that of its own file."""
    if named := os.environ.get("KERAS_BACKEND"):
        return named
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return json.loads((folder / "keras.json").read_text("utf-8")).get("backend", "")
    except (OSError, ValueError):
        return "tensorflow"


def _import_keras() -> ModuleType:
    """Import Keras without packages that are not imported yet."""
    left_out = COMPANIONS
    if _backend() == "tensorflow":
        left_out += COMPANIONS_OF_TENSORFLOW
    with _hidden(left_out):
        return importlib.import_module("keras")


keras = _import_keras()
