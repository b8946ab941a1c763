"""Networks: architectures, layers, pre-processing, augmentation, start weights, unfreezing."""

from blastfold.core import lean_keras  # noqa: F401
