"""Multiply-adds of a network, counted analytically for each layer.

Counted are convolutions and dense layers, as published counts do (for instance Howard et al. 2017,
"MobileNets"; Tan & Le 2019, "EfficientNet"): one multiply-add is one product with its sum, so that
FLOPs are about twice as many. Biases, activations, pooling and normalisation are left out.
"""

import math

import keras

from blastfold.core.errors import BlastfoldError

CONVOLUTIONS = (
    *(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),
    *(keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D),
)
SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
ELEMENTWISE = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Normalization,
    keras.layers.PReLU,
)
"""Layers with weights that multiply each number once; published counts leave them out."""

ELEMENTWISE_NAMES = ("LayerScale",)
"""Layers of that kind which Keras does not export."""

DECLARED = "multiply_adds"
"""Attribute of a layer in place of a network that Keras does not run: its count, or None."""

REFUSED_NAMES = (
    *("Attention", "AdditiveAttention", "Dot", "Einsum", "Matmul", "Tensordot"),
    "StoredFeatures",
)
"""Layers without weights that multiply two inputs or replace a network: nothing else would show
them."""


class UncountedLayerError(BlastfoldError):
    """A layer computes in a way that has no formula here.

    Attributes:
        kind: Its class.
    """

    def __init__(self, layer: keras.Operation):
        self.kind = type(layer).__name__
        super().__init__(
            f"multiply-adds: the layer {layer.name} is of the class {self.kind}, for which there "
            "is no formula. Enter one in networks/multiply_adds.py"
        )


def multiply_adds(layer: keras.Operation) -> int:
    """Count the multiply-adds of a layer for one image.

    Args:
        layer: A layer or operation of a model that has been built, or the model itself.

    Raises:
        UncountedLayerError: The layer has weights, or multiplies its inputs, and has no formula.
    """
    if isinstance(layer, keras.Model):
        # The layers of a model leave out operations such as a product of two outputs.
        return sum(multiply_adds(part) for part in getattr(layer, "operations", layer.layers))
    if isinstance(layer, SEPARABLE):
        kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
        return _positions(layer) * sum(math.prod(kernel.shape) for kernel in kernels)
    if isinstance(layer, CONVOLUTIONS):
        # (height, width, channels of a group, filters); depthwise: (height, width, channels, 1).
        return _positions(layer) * math.prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.Dense):
        return math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)
    if getattr(layer, DECLARED, None) is not None:
        return getattr(layer, DECLARED)
    kind = type(layer).__name__
    known = isinstance(layer, ELEMENTWISE) or kind in ELEMENTWISE_NAMES
    if (
        hasattr(layer, DECLARED)
        or kind in REFUSED_NAMES
        or (getattr(layer, "weights", ()) and not known)
    ):
        raise UncountedLayerError(layer)
    return 0


def _positions(layer: keras.layers.Layer) -> int:
    """Return the number of places of a convolution's output, over which its kernel moves."""
    shape = layer.output.shape[1:]
    return math.prod(shape[1:] if layer.data_format == "channels_first" else shape[:-1])
