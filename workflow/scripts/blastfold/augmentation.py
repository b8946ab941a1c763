"""Random changes of training images (thesis 4.5): what is drawn, and what a draw does.

Drawing and applying are apart. A draw is a row of numbers from NumPy that depends on the seed,
the epoch and the image's place in the data set, and on nothing else, so that it can be repeated
for any subset of images in any order. Applying is Keras operations on a whole batch, on
whatever device and backend, eagerly or in a compiled graph.
"""

import keras
import numpy as np
from keras import ops

from blastfold.seeds import generator

COLUMNS = (
    "flip_up_down",
    "flip_left_right",
    "transpose",
    "brightness",
    "contrast",
    "saturation",
    "hue",
    "crop_height",
    "crop_width",
    "crop_top",
    "crop_left",
)
"""What the columns of a draw mean, in the order in which the operations are applied."""

TRANSPOSE_THRESHOLD = 0.75
"""An image is transposed where a uniform draw reaches this value (thesis 4.5)."""

LUMA = np.array([0.299, 0.587, 0.114], dtype="float32")
"""Weights of red, green and blue in the luma Y' (ITU-R BT.601)."""

RGB_TO_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]],
    dtype="float32",
)
"""FCC NTSC matrix; a turn of the I-Q plane is a turn of the hue at constant luma."""


def identity_draws(count: int) -> np.ndarray:
    """Return draws that leave every image as it is: float32, shape (count, len(COLUMNS))."""
    draws = np.zeros((count, len(COLUMNS)), dtype="float32")
    for column in ("contrast", "saturation", "crop_height", "crop_width"):
        draws[:, COLUMNS.index(column)] = 1.0
    return draws


def draw_augmentations(count: int, settings: dict, seed: int, epoch: int) -> np.ndarray:
    """Draw the changes of every image of a data set for one epoch.

    Args:
        count: Number of images in the data set.
        settings: The config's ``augmentation`` entry of the model.
        seed: The experiment's seed.
        epoch: Epoch, counted from 1.

    Returns:
        float32, shape (count, len(COLUMNS)). Row i belongs to image i of the data set. Flips and
        transpose are 0 or 1; brightness is a shift in intensities (-255..255); contrast and
        saturation are factors; hue is an angle in radians; the crop's height, width, top and
        left are shares of the image's side.
    """
    random = generator(seed, "augmentation", epoch)
    # Every column is drawn whether it is switched on or not, so that switching one operation
    # off leaves the draws of all others unchanged.
    uniform = dict(zip(COLUMNS, random.uniform(size=(len(COLUMNS), count)), strict=True))
    symmetric = {name: 2.0 * values - 1.0 for name, values in uniform.items()}
    crop_height = 1.0 - settings["crop"] * uniform["crop_height"]
    crop_width = 1.0 - settings["crop"] * uniform["crop_width"]
    columns = {
        "flip_up_down": settings["flip_up_down"] * (uniform["flip_up_down"] < 0.5),
        "flip_left_right": settings["flip_left_right"] * (uniform["flip_left_right"] < 0.5),
        "transpose": settings["transpose"] * (uniform["transpose"] >= TRANSPOSE_THRESHOLD),
        "brightness": 255.0 * settings["brightness"] * symmetric["brightness"],
        "contrast": 1.0 + settings["contrast"] * symmetric["contrast"],
        "saturation": 1.0 + settings["saturation"] * symmetric["saturation"],
        "hue": 2.0 * np.pi * settings["hue"] * symmetric["hue"],
        "crop_height": crop_height,
        "crop_width": crop_width,
        "crop_top": (1.0 - crop_height) * uniform["crop_top"],
        "crop_left": (1.0 - crop_width) * uniform["crop_left"],
    }
    return np.stack([columns[name] for name in COLUMNS], axis=1).astype("float32")


def changes_anything(settings: dict) -> bool:
    """Tell whether any operation of the ``augmentation`` entry is switched on."""
    return any(bool(value) for value in settings.values())


def flip_up_down(images, chosen):
    """Mirror the chosen images top to bottom. images (n, h, w, 3), chosen (n,) of 0 and 1."""
    return ops.where(_per_image(chosen) > 0.5, ops.flip(images, axis=1), images)


def flip_left_right(images, chosen):
    """Mirror the chosen images left to right. images (n, h, w, 3), chosen (n,) of 0 and 1."""
    return ops.where(_per_image(chosen) > 0.5, ops.flip(images, axis=2), images)


def transpose(images, chosen):
    """Swap rows and columns of the chosen images; images that are not square stay as they are."""
    if images.shape[1] != images.shape[2]:
        return images
    swapped = ops.transpose(images, (0, 2, 1, 3))
    return ops.where(_per_image(chosen) > 0.5, swapped, images)


def adjust_brightness(images, shift):
    """Add an intensity to all channels. images (n, h, w, 3) 0-255, shift (n,) in intensities."""
    return images + _per_image(shift)


def adjust_contrast(images, factor):
    """Scale the distance from each channel's mean. factor (n,), 1 changes nothing."""
    mean = ops.mean(images, axis=(1, 2), keepdims=True)
    return mean + _per_image(factor) * (images - mean)


def adjust_saturation(images, factor):
    """Scale the distance from grey of the same luma. factor (n,), 0 is grey, 1 changes nothing."""
    grey = ops.sum(images * LUMA, axis=-1, keepdims=True)
    return grey + _per_image(factor) * (images - grey)


def adjust_hue(images, angle):
    """Turn the hue at constant luma. angle (n,) in radians, 0 changes nothing."""
    cosine, sine = ops.cos(angle), ops.sin(angle)
    zero, one = ops.zeros_like(angle), ops.ones_like(angle)
    turn = ops.stack(
        [
            ops.stack([one, zero, zero], axis=-1),
            ops.stack([zero, cosine, -sine], axis=-1),
            ops.stack([zero, sine, cosine], axis=-1),
        ],
        axis=-2,
    )
    matrix = ops.matmul(ops.matmul(np.linalg.inv(RGB_TO_YIQ), turn), RGB_TO_YIQ)
    height, width = images.shape[1:3]
    flat = ops.reshape(images, (-1, height * width, 3))
    turned = ops.matmul(flat, ops.transpose(matrix, (0, 2, 1)))
    return ops.reshape(turned, (-1, height, width, 3))


def crop_and_stretch(images, height, width, top, left):
    """Cut a window out of each image and stretch it bilinearly to the full size.

    Args:
        images: (n, h, w, 3).
        height: (n,) height of the window as a share of h; with width 1 and top 0 nothing changes.
        width: (n,) width of the window as a share of w.
        top: (n,) upper edge of the window as a share of h.
        left: (n,) left edge of the window as a share of w.

    Returns:
        (n, h, w, 3). Pixel centres are at half-integer places, as in all modern resampling.
    """
    rows, columns = images.shape[1:3]
    zero = ops.zeros_like(height)
    # Output pixel (x, y) reads input place (a0 x + a2, b1 y + b2).
    vertical_offset = rows * top + 0.5 * height - 0.5
    horizontal_offset = columns * left + 0.5 * width - 0.5
    transforms = ops.stack(
        [width, zero, horizontal_offset, zero, height, vertical_offset, zero, zero], axis=-1
    )
    return ops.image.affine_transform(
        images, transforms, interpolation="bilinear", fill_mode="nearest"
    )


def augment(images, draws):
    """Apply draws to a batch, all operations of the thesis in the order of COLUMNS.

    Args:
        images: (n, h, w, 3) intensities 0-255, any numeric dtype.
        draws: (n, len(COLUMNS)) rows of :func:`draw_augmentations`.

    Returns:
        float32 (n, h, w, 3), clipped to 0-255.
    """
    images = ops.cast(images, "float32")
    drawn = {name: draws[:, position] for position, name in enumerate(COLUMNS)}
    images = flip_up_down(images, drawn["flip_up_down"])
    images = flip_left_right(images, drawn["flip_left_right"])
    images = transpose(images, drawn["transpose"])
    images = adjust_brightness(images, drawn["brightness"])
    images = adjust_contrast(images, drawn["contrast"])
    images = adjust_saturation(images, drawn["saturation"])
    images = adjust_hue(images, drawn["hue"])
    images = ops.clip(images, 0.0, 255.0)
    images = crop_and_stretch(
        images, drawn["crop_height"], drawn["crop_width"], drawn["crop_top"], drawn["crop_left"]
    )
    # Interpolation rounds: on JAX 255 became 255.00002.
    return ops.clip(images, 0.0, 255.0)


@keras.saving.register_keras_serializable(package="blastfold")
class Augmentation(keras.layers.Layer):
    """Applies draws to a batch inside a network: call it with ``[images, draws]``."""

    def call(self, inputs):
        """Return the augmented images (see :func:`augment`)."""
        images, draws = inputs
        return augment(images, draws)


def _per_image(values):
    return ops.reshape(values, (-1, 1, 1, 1))
