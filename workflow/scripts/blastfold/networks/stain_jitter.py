"""Random changes of how strongly a cell is stained (haematoxylin, eosin and DAB).

Tellez et al., "Whole-slide mitosis detection in H&E breast histology using PHH3 as a reference to
train distilled stain-invariant convolutional networks", IEEE Transactions on Medical Imaging
37(9), 2018: the optical density of a pixel is a sum of three stains; the amount of each is
multiplied by a random factor and shifted by a random number, the same for all pixels of an image.
The colours of the stains are those of Ruifrok and Johnston, "Quantification of histochemical
staining by color deconvolution", Analytical and Quantitative Cytology and Histology 23(4), 2001.

Optical density is the natural logarithm of the light that is lost, and 255 is all light. One is
added to intensities, so that 0 has a density.
"""

import numpy as np
from keras import ops

STAINS = ("haematoxylin", "eosin", "dab")

STAIN_COLOURS = np.array(
    [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]], dtype="float32"
)
"""Density of red, green and blue of one unit of each stain (Ruifrok and Johnston)."""

LIGHT = 256.0
"""Intensity of white plus one: white has no density."""


def jitter_stains(images, factors, shifts):
    """Change the amount of every stain: multiply it, then add to it.

    Args:
        images: float32 (n, h, w, 3), 0-255.
        factors: (n, 3) factor of the amount of haematoxylin, eosin and DAB.
        shifts: (n, 3) what is added to the amount of each, in units of optical density.

    Returns:
        float32 (n, h, w, 3), not clipped.
    """
    # Unmixing, scaling and mixing are one linear map of the densities; log and exp are base e.
    unmixed = np.linalg.inv(STAIN_COLOURS)
    change = ops.matmul(ops.multiply(unmixed, factors[:, None, :]), STAIN_COLOURS)
    added = ops.matmul(shifts, STAIN_COLOURS)
    height, width = images.shape[1:3]
    density = ops.reshape(-ops.log((images + 1.0) / LIGHT), (-1, height * width, 3))
    changed = ops.matmul(density, change) + added[:, None, :]
    return ops.reshape(LIGHT * ops.exp(-changed) - 1.0, (-1, height, width, 3))
