"""Random start weights of a backbone for C-NMC, where its ImageNet weights are not available.

The statistics of batch normalisation are those of the images in a folder, as those of a trained
network are of images. With the ones of a fresh network (means of 0, variances of 1) features hardly
differ between images, and the heads of two trainings from two seeds disagree about all images of a
fold at once. The images must not be among those to classify.

    python tests/benchmarks/random_weights.py DenseNet169 images/ backbone.weights.h5
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from plain_keras import PREPROCESSING, image_reader, list_images


def write_weights(architecture, images, weights, crop=300, size=96, seed=2022):
    """Draw the weights of a network of keras.applications and write them to a file."""
    keras.utils.set_random_seed(seed)
    application = getattr(keras.applications, architecture)
    network = application(
        include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg"
    )
    read = image_reader(crop, size)
    batch = np.stack([read(path, 0)[0] for path in list_images(images)[0]])
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # All at once: nothing is left of the statistics of a fresh network.
            layer.momentum = 0.0
    network(PREPROCESSING[architecture](batch), training=True)
    network.save_weights(weights)


if __name__ == "__main__":
    write_weights(*sys.argv[1:])
