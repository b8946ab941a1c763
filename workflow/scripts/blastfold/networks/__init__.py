"""Networks: architectures, layers, pre-processing, augmentation, start weights, unfreezing."""
