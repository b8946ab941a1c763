"""Random changes of training images (thesis 4.5, and more): how they are drawn and applied.

Drawing and applying are separate. A draw is a row of numbers from NumPy. It depends only on the
seed, the epoch and the row of the image in the data set, so that it can be repeated for any subset
of images in any order. Applying a draw is a chain of Keras operations on a whole batch. It runs on
every device and backend, eagerly or in a compiled graph.
"""

import keras
import numpy as np
from keras import ops

from blastfold.core.seeds import generator
from blastfold.core.settings import AugmentationSettings
from blastfold.images.stain import BLACK
from blastfold.networks.stain_jitter import STAINS, jitter_stains

FLIPS = ("flip_up_down", "flip_left_right", "transpose")
COLOURS = ("brightness", "contrast", "saturation", "hue")
WINDOW = ("crop_height", "crop_width", "crop_top", "crop_left")
MOVES = (*FLIPS, *WINDOW, "rotation")
STAIN_FACTORS = tuple(f"stain_jitter_factor_{stain}" for stain in STAINS)
STAIN_SHIFTS = tuple(f"stain_jitter_shift_{stain}" for stain in STAINS)

COLUMNS = (*FLIPS, *COLOURS, *WINDOW, "rotation", *STAIN_FACTORS, *STAIN_SHIFTS)
"""Meaning of the columns of a draw. A new one is the last, so that the draws of others stay."""

TRANSPOSE_THRESHOLD = 0.75
"""An image is transposed when its uniform draw is at least this value (thesis 4.5)."""

LUMA = np.array([0.299, 0.587, 0.114], dtype="float32")
"""Weights of red, green and blue in the luma Y' (ITU-R BT.601)."""

RGB_TO_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]],
    dtype="float32",
)
"""FCC NTSC matrix; rotating the I-Q plane changes the hue at constant luma."""


def identity_draws(count: int) -> np.ndarray:
    """Return draws that leave every image as it is: float32, shape (count, len(COLUMNS))."""
    draws = np.zeros((count, len(COLUMNS)), dtype="float32")
    for column in ("contrast", "saturation", "crop_height", "crop_width", *STAIN_FACTORS):
        draws[:, COLUMNS.index(column)] = 1.0
    return draws


def draw_augmentations(
    count: int, settings: AugmentationSettings, seed: int, epoch: int
) -> np.ndarray:
    """Draw the changes of every image of a data set for one epoch.

    Args:
        count: Number of images in the data set.
        settings: The random changes of the model.
        seed: The experiment's seed.
        epoch: Epoch, counted from 1.

    Returns:
        float32, shape (count, len(COLUMNS)). Row i belongs to image i of the data set. Flips and
        transpose are 0 or 1; brightness is a shift in intensities (-255..255); contrast and
        saturation are factors; hue is an angle in radians; the crop's height, width, top and
        left are shares of the image's side; rotation is an angle in radians; the factor and the
        shift of each stain are those of :func:`blastfold.networks.stain_jitter.jitter_stains`.
    """
    random = generator(seed, "augmentation", epoch)
    # Every column is drawn, also for an operation that is switched off, so that switching one
    # operation off leaves the draws of all others unchanged.
    uniform = dict(zip(COLUMNS, random.uniform(size=(len(COLUMNS), count)), strict=True))
    symmetric = {name: 2.0 * values - 1.0 for name, values in uniform.items()}
    crop_height = 1.0 - settings.crop * uniform["crop_height"]
    crop_width = 1.0 - settings.crop * uniform["crop_width"]
    columns = {
        "flip_up_down": settings.flip_up_down * (uniform["flip_up_down"] < 0.5),
        "flip_left_right": settings.flip_left_right * (uniform["flip_left_right"] < 0.5),
        "transpose": settings.transpose * (uniform["transpose"] >= TRANSPOSE_THRESHOLD),
        "brightness": 255.0 * settings.brightness * symmetric["brightness"],
        "contrast": 1.0 + settings.contrast * symmetric["contrast"],
        "saturation": 1.0 + settings.saturation * symmetric["saturation"],
        "hue": 2.0 * np.pi * settings.hue * symmetric["hue"],
        "crop_height": crop_height,
        "crop_width": crop_width,
        "crop_top": (1.0 - crop_height) * uniform["crop_top"],
        "crop_left": (1.0 - crop_width) * uniform["crop_left"],
        "rotation": np.deg2rad(settings.rotation) * symmetric["rotation"],
        **{name: 1.0 + settings.stain_jitter * symmetric[name] for name in STAIN_FACTORS},
        **{name: settings.stain_jitter * symmetric[name] for name in STAIN_SHIFTS},
    }
    return np.stack([columns[name] for name in COLUMNS], axis=1).astype("float32")


def adjust_colours(images, brightness, contrast, saturation, hue):
    """Change the colours of each image: brightness, contrast, saturation and hue in this order.

    Each of the four is a linear map of a pixel, and so is their product. The pixels are read once.
    Pixels of a masked background, which are black as in :mod:`blastfold.images.stain`, stay as they
    are and do not count for the mean.

    Args:
        images: float32 (n, h, w, 3), 0-255.
        brightness: (n,) shift that is added to all channels.
        contrast: (n,) factor of the distance from each channel's mean over the shown pixels.
        saturation: (n,) factor of the distance from grey of the same luma; 0 gives grey.
        hue: (n,) angle in radians by which the hue is rotated at constant luma.

    Returns:
        float32 (n, h, w, 3), not clipped.
    """
    shown = _shown(images)
    weights = ops.cast(shown, images.dtype)
    share = ops.mean(weights, axis=(1, 2))
    mean = ops.mean(images * weights, axis=(1, 2)) / ops.maximum(share, 1.0 / (2**30))
    factor = ops.reshape(saturation, (-1, 1, 1))
    # All three channels of grey have the same luma.
    grey = np.tile(LUMA, (3, 1))
    saturate = factor * np.eye(3, dtype="float32") + (1.0 - factor) * grey
    colours = ops.matmul(_hue_turn(hue), saturate)
    factor = ops.reshape(contrast, (-1, 1))
    kept = (1.0 - factor) * mean + ops.reshape(brightness, (-1, 1))
    offset = ops.matmul(kept[:, None, :], ops.transpose(colours, (0, 2, 1)))
    matrix = ops.reshape(contrast, (-1, 1, 1)) * colours
    height, width = images.shape[1:3]
    flat = ops.reshape(images, (-1, height * width, 3))
    changed = ops.matmul(flat, ops.transpose(matrix, (0, 2, 1))) + offset
    return ops.where(shown, ops.reshape(changed, (-1, height, width, 3)), images)


def _shown(images):
    """Distinguish pixels from a masked black background, bool (n, h, w, 1)."""
    return ops.max(images, axis=-1, keepdims=True) > BLACK


def _hue_turn(angle):
    """Return the RGB matrix, (n, 3, 3), that rotates the hue by an angle."""
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
    return ops.matmul(ops.matmul(np.linalg.inv(RGB_TO_YIQ), turn), RGB_TO_YIQ)


def move_pixels(
    images, flip_up_down, flip_left_right, transpose, height, width, top, left, rotation
):
    """Rotate, mirror and transpose the chosen images, then stretch a window of each to full size.

    The whole change is one affine map of pixel positions, so that the pixels are read once. What a
    rotation brings into the picture from outside is the image mirrored at its border.

    Args:
        images: float32 (n, h, w, 3).
        flip_up_down: (n,) 0 or 1: 1 mirrors the image top to bottom.
        flip_left_right: (n,) 0 or 1: 1 mirrors the image left to right.
        transpose: (n,) 0 or 1: 1 swaps rows and columns, after mirroring; images that are not
            square stay as they are.
        height: (n,) height of the window as a share of h; with width 1 and top 0 nothing changes.
        width: (n,) width of the window as a share of w.
        top: (n,) upper edge of the window as a share of h.
        left: (n,) left edge of the window as a share of w.
        rotation: (n,) angle in radians by which the content turns anticlockwise about the centre.

    Returns:
        float32 (n, h, w, 3), bilinear. Pixel centres are at half-integer positions, as in all
        modern resampling.
    """
    rows, columns = images.shape[1:3]
    swapped = transpose if rows == columns else ops.zeros_like(transpose)
    straight = 1.0 - swapped
    # Output pixel (x, y) reads position (width x + across, height y + down) of the image ...
    across = columns * left + 0.5 * width - 0.5
    down = rows * top + 0.5 * height - 0.5
    # ... whose columns are the rows of the mirrored image when it is transposed ...
    column = [straight * width, swapped * height, straight * across + swapped * down]
    row = [swapped * width, straight * height, straight * down + swapped * across]
    # ... in which the last column or row of the stored image comes first when it is mirrored.
    places = []
    for place, flipped, last in (
        (column, flip_left_right, columns - 1),
        (row, flip_up_down, rows - 1),
    ):
        direction = 1.0 - 2.0 * flipped
        place = [direction * value for value in place]
        places.append([*place[:2], place[2] + last * flipped])
    # The rotation comes first, so that its place in the stored image is the last to be known.
    column, row = _turn(*places, rotation, ((columns - 1) / 2, (rows - 1) / 2))
    zero = ops.zeros_like(width)
    transforms = ops.stack([*column, *row, zero, zero], axis=-1)
    return ops.image.affine_transform(
        images, transforms, interpolation="bilinear", fill_mode="reflect"
    )


def _turn(column, row, angle, centre):
    """Turn positions clockwise about a centre, which turns the content there anticlockwise.

    Args:
        column: Coefficients of the column, each (n,): of the output's x and y, and the constant.
        row: The same of the row.
        angle: (n,) in radians. With 0 all positions stay exactly as they are.
        centre: Column and row.
    """
    cosine, sine = ops.cos(angle), ops.sin(angle)
    across, down = centre
    # c + R (p - c) = R p + (c - R c), whose second term is exactly 0 without a rotation.
    turned_column = [cosine * x - sine * y for x, y in zip(column, row, strict=True)]
    turned_row = [sine * x + cosine * y for x, y in zip(column, row, strict=True)]
    turned_column[2] = turned_column[2] + (across - (cosine * across - sine * down))
    turned_row[2] = turned_row[2] + (down - (sine * across + cosine * down))
    return turned_column, turned_row


def augment(images, draws, *, stains=False):
    """Apply draws to a batch.

    Args:
        images: (n, h, w, 3) intensities 0-255, any numeric dtype.
        draws: (n, len(COLUMNS)) rows of :func:`draw_augmentations`.
        stains: Whether stains are changed. Logarithms of all pixels take time, which models without
            ``stain_jitter`` need not spend.

    Returns:
        float32 (n, h, w, 3), clipped to 0-255.
    """
    images = ops.cast(images, "float32")
    drawn = {name: draws[:, position] for position, name in enumerate(COLUMNS)}
    # A change of colours does not depend on the position of a pixel, so that it may come first.
    if stains:
        factors, shifts = (
            ops.stack([drawn[name] for name in names], axis=-1)
            for names in (STAIN_FACTORS, STAIN_SHIFTS)
        )
        changed = ops.clip(jitter_stains(images, factors, shifts), 0.0, 255.0)
        images = ops.where(_shown(images), changed, images)
    images = adjust_colours(images, *(drawn[name] for name in COLOURS))
    images = ops.clip(images, 0.0, 255.0)
    images = move_pixels(images, *(drawn[name] for name in MOVES))
    # Interpolation rounds: 255 became 255.00002 with JAX.
    return ops.clip(images, 0.0, 255.0)


@keras.saving.register_keras_serializable(package="blastfold")
class Augmentation(keras.layers.Layer):
    """Applies draws to a batch inside a network; call it with ``[images, draws]``.

    Args:
        stains: See :func:`augment`.
    """

    def __init__(self, stains=False, **kwargs):
        # Half precision has no digits for intensities and positions, and mixes with none of them.
        super().__init__(**{"dtype": "float32", **kwargs})
        self.stains = stains

    def call(self, inputs):
        """Return the augmented images (see :func:`augment`)."""
        images, draws = inputs
        return augment(images, draws, stains=self.stains)

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "stains": self.stains}
