"""The training, validation and test images of a fold, and what is fitted on its training images."""
