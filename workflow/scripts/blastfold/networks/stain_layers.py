"""Stain normalisation as a layer, so that a saved model needs no other file.

The functions are those of :mod:`blastfold.images.stain`, image by image, in Keras operations and
single precision.
"""

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from blastfold.images import stain

SWEEPS = 4
"""Passes of Jacobi rotations over a 3x3 matrix; each one squares the error, and after three it is
that of float32."""


@keras.saving.register_keras_serializable(package="blastfold")
class StainNormalisation(keras.layers.Layer):
    """Maps the stains of each image to reference statistics, which are stored as weights.

    Images of a batch do not influence one another. A masked background and images without enough
    tissue stay unchanged (see :mod:`blastfold.images.stain`). The statistics of an image count as
    constants when gradients are computed.

    Args:
        method: reinhard or macenko.
    """

    def __init__(self, method, **kwargs):
        # Half precision does not have enough digits for statistics over all pixels.
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        self.method = method
        self.reference = {
            name: self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)
            for name, shape in stain.SHAPES[method].items()
        }

    def set_reference(self, reference: Mapping) -> None:
        """Store reference statistics (see :func:`blastfold.images.stain.fit_image`)."""
        for name, weight in self.reference.items():
            weight.assign(np.asarray(reference[name], dtype=np.float32))

    def call(self, images):
        """Return normalised images.

        Args:
            images: RGB 0-255, uint8 or float32 (batch, height, width, 3) of known height and width.

        Returns:
            float32 (batch, height, width, 3), RGB 0-255, not rounded.
        """
        images = ops.cast(images, "float32")
        height, width = images.shape[1:3]
        pixels = ops.reshape(images, (-1, height * width, 3))
        smallest = ops.min(pixels, axis=-1)
        shown = ops.logical_and(ops.max(pixels, axis=-1) > stain.BLACK, smallest < stain.WHITE)
        tissue = ops.logical_and(shown, smallest < stain.GLASS)
        transfer = {"reinhard": _reinhard, "macenko": _macenko}[self.method]
        normalised, usable = transfer(pixels, shown, self.reference)
        usable = ops.logical_and(usable, _enough(tissue))
        changed = ops.logical_and(shown, usable)[..., None]
        return ops.reshape(ops.where(changed, normalised, pixels), (-1, height, width, 3))

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "method": self.method}


def build_stain_layer(record: Mapping) -> StainNormalisation:
    """Build the layer of a fold.

    Args:
        record: Record of the fold that :func:`blastfold.folds.stain_reference.fit_stain` wrote:
            ``stain`` (the method) and ``reference``.
    """
    layer = StainNormalisation(record["stain"], name="stain_normalisation")
    layer.set_reference(record["reference"])
    return layer


def _reinhard(pixels, shown, reference):
    """Return normalised pixels, (b, n, 3), and whether each image is usable, (b, 1)."""
    lab = _to_lab(pixels)
    weights = ops.cast(shown, "float32")[..., None]
    number = ops.sum(weights, axis=1, keepdims=True)
    means = ops.sum(weights * lab, axis=1, keepdims=True) / ops.maximum(number, 1)
    squares = ops.sum(weights * ops.square(lab - means), axis=1, keepdims=True)
    deviations = ops.sqrt(squares / ops.maximum(number, 1))
    means, deviations = ops.stop_gradient(means), ops.stop_gradient(deviations)
    scale = reference["deviations"] / ops.maximum(deviations, stain.MINIMUM_DEVIATION)
    changed = _from_lab((lab - means) * scale + reference["means"])
    return changed, ops.any(shown, axis=1, keepdims=True)


def _macenko(pixels, shown, reference):
    """Return normalised pixels, (b, n, 3), and whether each image is usable, (b, 1)."""
    density = -ops.log((ops.maximum(pixels, 0) + 1) / stain.LIGHT)
    opaque = ops.logical_and(shown, ops.min(density, axis=-1) >= stain.TRANSPARENT)
    stains = ops.stop_gradient(_find_stains(density, opaque))
    first, second = stains[:, None, 0], stains[:, None, 1]
    product = ops.sum(first * second, axis=-1)
    squared_sine = 1 - ops.square(product)
    usable = ops.logical_and(_enough(opaque), squared_sine >= stain.MINIMUM_SINE)
    # The pseudo-inverse of two unit vectors.
    along = ops.sum(density * first, axis=-1), ops.sum(density * second, axis=-1)
    divisor = ops.maximum(squared_sine, stain.MINIMUM_SINE)
    each = [(along[i] - product * along[1 - i]) / divisor for i in range(2)]
    scaled = []
    for number, concentration in enumerate(each):
        strongest = ops.stop_gradient(_percentile(concentration, shown, stain.STRONGEST))
        scale = reference["concentrations"][number]
        scaled.append(concentration * scale / ops.maximum(strongest, stain.MINIMUM_CONCENTRATION))
    together = ops.matmul(ops.stack(scaled, axis=-1), ops.transpose(reference["stains"]))
    return ops.clip(stain.LIGHT * ops.exp(-together), 0, 255), usable


def _find_stains(density, opaque):
    """Find the two directions between which all opaque pixels lie, (b, 2, 3)."""
    weights = ops.cast(opaque, "float32")[..., None]
    number = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 2)
    means = ops.sum(weights * density, axis=1, keepdims=True) / number
    centred = weights * (density - means)
    covariance = ops.matmul(ops.transpose(centred, (0, 2, 1)), centred) / (number - 1)
    vectors = _eigenvectors(covariance)
    second, first = vectors[:, None, 1], vectors[:, None, 2]
    # The sign of an eigenvector is arbitrary. Angles are measured from the direction in which
    # tissue lies; the sign of the other vector only changes the sign of the angles.
    first = first * ops.where(ops.sum(means * first, axis=-1, keepdims=True) < 0, -1.0, 1.0)
    angles = ops.arctan2(ops.sum(density * second, axis=-1), ops.sum(density * first, axis=-1))
    edges = [_percentile(angles, opaque, share)[..., None] for share in stain.ANGLES]
    one, other = (first * ops.cos(edge) + second * ops.sin(edge) for edge in edges)
    # Hematoxylin absorbs more red light than eosin.
    in_order = one[..., :1] > other[..., :1]
    return ops.concatenate([ops.where(in_order, one, other), ops.where(in_order, other, one)], 1)


def _eigenvectors(matrices):
    """Return the eigenvectors of symmetric matrices, (b, 3, 3), as rows by ascending eigenvalue.

    Cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, 4th edition, 8.5): plain
    arithmetic, which ONNX can hold, where ``ops.eigh`` becomes an operation that it lacks.

    Args:
        matrices: float32 (b, 3, 3); the upper triangle is read.
    """
    pairs = ((0, 1), (0, 2), (1, 2))
    entry = {
        (row, column): matrices[:, row, column] for row in range(3) for column in range(row, 3)
    }
    identity = ops.zeros_like(matrices) + ops.eye(3)
    vectors = [identity[:, row] for row in range(3)]
    for low, high in pairs * SWEEPS:
        gap = entry[high, high] - entry[low, low]
        double = 2 * entry[low, high]
        length = ops.sqrt(ops.square(gap) + ops.square(double))
        tangent = ops.where(gap < 0, -double, double) / ops.maximum(ops.abs(gap) + length, 1e-30)
        cosine = 1 / ops.sqrt(1 + ops.square(tangent))
        sine = tangent * cosine
        entry[low, low] = entry[low, low] - tangent * entry[low, high]
        entry[high, high] = entry[high, high] + tangent * entry[low, high]
        entry[low, high] = ops.zeros_like(tangent)
        other = 3 - low - high
        places = [tuple(sorted((other, place))) for place in (low, high)]
        before, after = entry[places[0]], entry[places[1]]
        entry[places[0]] = cosine * before - sine * after
        entry[places[1]] = sine * before + cosine * after
        turn = cosine[:, None], sine[:, None]
        before, after = vectors[low], vectors[high]
        vectors[low] = turn[0] * before - turn[1] * after
        vectors[high] = turn[1] * before + turn[0] * after
    order = ops.argsort(ops.stack([entry[place, place] for place in range(3)], axis=-1), axis=-1)
    return ops.matmul(ops.one_hot(order, 3), ops.stack(vectors, axis=1))


def _percentile(values, chosen, share):
    """Return a percentile, linearly interpolated, of the chosen values of each row, (b, 1)."""
    # Large but finite, so that no gradient is lost: what is left out comes last.
    ordered = ops.sort(ops.where(chosen, values, 1e4), axis=1)
    last = ops.maximum(ops.sum(ops.cast(chosen, "float32"), axis=1, keepdims=True) - 1, 0)
    place = share * last
    below = ops.floor(place)
    low = ops.take_along_axis(ordered, ops.cast(below, "int32"), axis=1)
    high = ops.take_along_axis(ordered, ops.cast(ops.minimum(below + 1, last), "int32"), axis=1)
    return low + (place - below) * (high - low)


def _enough(chosen):
    """Return for each image whether enough pixels are chosen, (b, 1)."""
    number = ops.sum(ops.cast(chosen, "float32"), axis=1, keepdims=True)
    return number >= max(2, stain.MINIMUM * chosen.shape[1])


def _to_lab(rgb):
    share = rgb / 255
    linear = ops.where(
        share > 0.04045,
        ops.power((ops.maximum(share, 0.04045) + 0.055) / 1.055, 2.4),
        share / 12.92,
    )
    matrix = (stain.RGB_TO_XYZ / stain.WHITE_POINT[:, None]).T.astype(np.float32)
    xyz = ops.matmul(linear, ops.convert_to_tensor(matrix))
    root = ops.power(ops.maximum(xyz, 0.008856), 1 / 3)
    x, y, z = ops.unstack(ops.where(xyz > 0.008856, root, 7.787 * xyz + 16 / 116), 3, axis=-1)
    return ops.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _from_lab(lab):
    light, a, b = ops.unstack(lab, 3, axis=-1)
    y = (light + 16) / 116
    roots = ops.stack([y + a / 500, y, y - b / 200], axis=-1)
    xyz = ops.where(roots > 0.2068966, roots * roots * roots, (roots - 16 / 116) / 7.787)
    matrix = np.linalg.inv(stain.RGB_TO_XYZ / stain.WHITE_POINT[:, None]).T.astype(np.float32)
    linear = ops.matmul(xyz, ops.convert_to_tensor(matrix))
    bright = 1.055 * ops.power(ops.maximum(linear, 0.0031308), 1 / 2.4) - 0.055
    return 255 * ops.clip(ops.where(linear > 0.0031308, bright, 12.92 * linear), 0, 1)
