"""Multiply-adds against published counts, counts by hand and layers without a formula.

The published counts of DenseNet169 and VGG19 are in test_architectures.py, which builds both.
"""

import keras
import numpy as np
import pytest

from blastfold.networks.multiply_adds import UncountedLayerError, multiply_adds


@pytest.mark.parametrize(
    ("name", "published"),
    # Sandler et al. 2018 print 300 M, Tan & Le 2019 0.39 G.
    [("MobileNetV2", 0.3008), ("EfficientNetB0", 0.3858)],
)
def test_published_networks_have_their_published_counts(name, published):
    network = getattr(keras.applications, name)(weights=None, input_shape=(224, 224, 3))
    assert round(multiply_adds(network) / 1e9, 4) == published


def convolve(image, kernel, stride, groups=1):
    """Convolve without padding, and count the products: the slowest way there is."""
    rows, columns, channels = image.shape
    height, width, inputs, filters = kernel.shape
    assert inputs * groups == channels
    products, output = 0, []
    for row in range(0, rows - height + 1, stride):
        for column in range(0, columns - width + 1, stride):
            values = np.zeros(filters)
            for place in np.ndindex(kernel.shape):
                group = place[3] // (filters // groups)
                source = image[row + place[0], column + place[1], group * inputs + place[2]]
                values[place[3]] += source * kernel[place]
                products += 1
            output.append(values)
    return products, np.array(output)


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (3, 2)])
def test_convolution_has_as_many_products_as_a_loop_needs(stride, groups):
    layer = keras.layers.Conv2D(4, (3, 2), strides=stride, groups=groups, use_bias=False)
    network = keras.Sequential([keras.Input((9, 8, 6)), layer])
    image = np.random.default_rng(0).normal(size=(9, 8, 6)).astype("float32")
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    products, output = convolve(image, kernel, stride, groups)
    assert multiply_adds(network) == products
    # The loop computes what the layer computes.
    found = keras.ops.convert_to_numpy(network(image[np.newaxis])).reshape(-1, 4)
    np.testing.assert_allclose(found, output, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # Padding keeps 9x8 places; each channel has its own kernel.
        (keras.layers.DepthwiseConv2D(3, padding="same"), 9 * 8 * 3 * 3 * 6),
        (keras.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2), 9 * 8 * 9 * 6 * 2),
        # A depthwise part at 4x3 places, and 1x1 kernels after it.
        (keras.layers.SeparableConv2D(5, 3, strides=2), 4 * 3 * (3 * 3 * 6 + 6 * 5)),
        # A dense layer is applied at every place.
        (keras.layers.Dense(10), 9 * 8 * 6 * 10),
        (keras.layers.BatchNormalization(), 0),
        (keras.layers.MaxPooling2D(), 0),
        (keras.layers.Dropout(0.5), 0),
    ],
)
def test_layers_are_counted_by_hand(layer, expected):
    assert multiply_adds(keras.Sequential([keras.Input((9, 8, 6)), layer])) == expected


class Scaling(keras.layers.Layer):
    """A layer of somebody else."""

    def build(self, shape):
        self.factor = self.add_weight(shape=shape[-1:])

    def call(self, images):
        return images * self.factor


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (Scaling(), "Scaling"),
        (keras.layers.Conv2DTranspose(2, 3), "Conv2DTranspose"),
        (keras.layers.Embedding(10, 2), "Embedding"),
    ],
)
def test_unknown_layer_with_weights_is_refused(layer, kind):
    network = keras.Sequential([keras.Input((8, 8, 3)), layer])
    with pytest.raises(UncountedLayerError, match=f"{layer.name} is of the class {kind}") as error:
        multiply_adds(network)
    assert error.value.kind == kind


def test_product_of_two_inputs_is_refused_although_it_has_no_weights():
    image = keras.Input((4, 4))
    for product in (keras.layers.Dot(1)([image, image]), keras.ops.matmul(image, image)):
        with pytest.raises(UncountedLayerError):
            multiply_adds(keras.Model(image, product))


class Stored(keras.layers.Identity):
    """In place of a network that Keras does not run."""

    multiply_adds = None


def test_a_layer_in_place_of_another_network_declares_its_count():
    layer = Stored()
    network = keras.Sequential([keras.Input((8, 8, 3)), layer, keras.layers.Flatten()])
    with pytest.raises(UncountedLayerError, match="Stored"):
        multiply_adds(network)
    layer.multiply_adds = 300
    assert multiply_adds(network) == 300
