"""The networks against the thesis' numbers and Keras' own summaries."""

import importlib
import io
import re

import keras
import numpy as np
import pandas as pd
import pytest
from support.trainings import model_settings

from blastfold.core.errors import InputError
from blastfold.networks import architectures, preprocessing
from blastfold.networks.multiply_adds import multiply_adds


def settings(architecture, **changes):
    return model_settings(architecture=architecture, **changes)


def summary_of(model):
    text = io.StringIO()
    model.summary(print_fn=lambda line: text.write(line + "\n"), line_length=200)
    return text.getvalue()


def test_simple_cnn_is_the_thesis_network():
    network = architectures.build_network(settings("simple_cnn"), (257, 257, 3))
    total = re.search(r"Total params: ([\d,]+)", summary_of(network.whole)).group(1)
    assert total == "59,075,905"
    layers = {row["kind"]: [] for row in architectures.describe_layers(network)}
    for row in architectures.describe_layers(network):
        layers[row["kind"]].append((row["output_shape"], row["parameters"]))
    assert layers["Conv2D"] == [
        ("255x255x32", 896),
        ("125x125x64", 18496),
        ("60x60x128", 73856),
    ]
    assert [shape for shape, _ in layers["MaxPooling2D"]] == ["127x127x32", "62x62x64"]
    assert layers["Flatten"] == [("460800", 0)]
    assert layers["Dense"] == [("128", 58982528), ("1", 129)]
    assert network.head.layers[-1].activation.__name__ == "sigmoid"


def test_tiny_cnn_costs_what_its_three_convolutions_cost():
    settled = settings("tiny_cnn", pooling="flatten")
    rows = architectures.describe_layers(architectures.build_network(settled, (32, 32, 3)))
    # 30x30, 13x13 and 4x4 places of 3x3 kernels; two neurons see 2x2 places of 32 maps.
    products = 30**2 * 27 * 8 + 13**2 * 72 * 16 + 4**2 * 144 * 32 + 2 * 128
    assert sum(row["multiply_adds"] for row in rows) == products
    assert sum(row["parameters"] for row in rows) == 8 * 28 + 16 * 73 + 32 * 145 + 2 * 129
    smallest = architectures.build_network(settled, (22, 22, 3))
    assert smallest.whole.output_shape == (None, 2)
    with pytest.raises(InputError, match=r"tiny_cnn: .*at least 22x22"):
        architectures.build_network(settled, (40, 21, 3))


def test_separable_cnn_is_the_beginning_of_a_mobilenet():
    """The oracles are Keras' MobileNet of half width, and the products counted by hand."""
    shape = (32, 32, 3)
    network = architectures.build_network(settings("separable_cnn"), shape)
    rows = architectures.describe_layers(network)
    mobilenet = keras.applications.MobileNet(shape, 0.5, include_top=False, weights=None)
    last = mobilenet.get_layer("conv_pw_3_relu").output
    beginning = keras.Model(mobilenet.input, last)
    # The head has 64 averaged features and two neurons.
    assert sum(row["parameters"] for row in rows) == beginning.count_params() + 2 * 65
    products = (
        (16**2 * 27 * 16)
        + (16**2 * 9 * 16 + 16**2 * 16 * 32)
        + (8**2 * 9 * 32 + 8**2 * 32 * 64)
        + (8**2 * 9 * 64 + 8**2 * 64 * 64)
    )
    assert sum(row["multiply_adds"] for row in rows) == products + 2 * 64
    assert multiply_adds(beginning) == products
    maps = [row["output_shape"] for row in rows if row["name"].endswith("_relu")]
    assert maps[-1] == "8x8x64"
    assert {row["block"] for row in rows} >= {"convolution", "block1", "block2", "block3"}
    # With the same weights both compute the same, where MobileNet's ReLU does not reach its end.
    network.backbone.set_weights(beginning.get_weights())
    image = np.random.default_rng(0).normal(0, 0.3, (2, *shape)).astype("float32")
    expected = beginning.predict_on_batch(image)
    assert 0 < expected.max() < 6
    found = network.backbone.predict_on_batch(image)
    np.testing.assert_allclose(found, expected.mean((1, 2)), atol=1e-5)
    with pytest.raises(InputError, match=r"separable_cnn: .*at least 8x8"):
        architectures.build_network(settings("separable_cnn"), (40, 7, 3))


def test_densenet169_ends_in_two_softmax_neurons():
    network = architectures.build_network(settings("DenseNet169"), (64, 64, 3))
    whole_size = {"include_top": False, "weights": None, "input_shape": (224, 224, 3)}
    expected = keras.applications.DenseNet169(**whole_size, pooling="avg")
    # The classifier has 1664 weights and a bias for each of its two neurons.
    assert network.whole.count_params() == expected.count_params() + 2 * 1664 + 2
    assert network.whole.output.shape == (None, 2)
    output = network.whole.predict(np.zeros((1, 64, 64, 3)), verbose=0)
    assert output.sum() == pytest.approx(1.0, abs=1e-6)
    # The published 3.360 G at 224 pixels, with the classifier of 1000 classes.
    assert round((multiply_adds(expected) + 1664 * 1000) / 1e9, 3) == 3.36


def test_vgg19_trains_its_classifier_alone():
    network = architectures.build_network(settings("VGG19", train="head"), (64, 64, 3))
    kinds = [type(layer).__name__ for layer in network.head.layers]
    assert kinds == ["Flatten", "Dense", "Dropout", "Dense"]
    # 2x2x512 features of a 64x64 image, 256 hidden units, two neurons.
    trainable = sum(np.prod(v.shape) for v in network.whole.trainable_variables)
    assert trainable == (2 * 2 * 512 * 256 + 256) + (256 * 2 + 2)
    whole_size = {"include_top": False, "weights": None, "input_shape": (224, 224, 3)}
    backbone = keras.applications.VGG19(**whole_size)
    assert network.whole.count_params() == trainable + backbone.count_params()
    # The published 19.632 G at 224 pixels, with its three dense layers.
    dense = 7 * 7 * 512 * 4096 + 4096 * 4096 + 4096 * 1000
    assert round((multiply_adds(backbone) + dense) / 1e9, 3) == 19.632
    rows = pd.DataFrame(architectures.describe_layers(network))
    assert rows["trained_parameters"].sum() == trainable
    # 64x64 images have 4 x 4 / (14 x 14) times the positions in the last block, and so on.
    in_backbone = rows["multiply_adds"].sum() - (2 * 2 * 512 * 256 + 256 * 2)
    assert in_backbone * 224**2 == multiply_adds(backbone) * 64**2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("densenet169", ("DenseNet169", "densenet")),
        ("VGG19", ("VGG19", "vgg19")),
        ("mobilenet_v2", ("MobileNetV2", "mobilenet_v2")),
        ("EfficientNet-B0", ("EfficientNetB0", "efficientnet")),
        ("resnet50_v2", ("ResNet50V2", "resnet_v2")),
    ],
)
def test_networks_are_found_by_name(given, expected):
    assert architectures.find_application(given) == expected


def test_unknown_network_lists_what_there_is():
    with pytest.raises(InputError, match=r"received 'densenet170'.*DenseNet169.*VGG19"):
        architectures.find_application("densenet170")


def test_image_too_small_for_the_network():
    with pytest.raises(InputError, match="DenseNet169 cannot take images of 16x16"):
        architectures.build_network(settings("densenet169"), (16, 16, 3))
    with pytest.raises(InputError, match="at least 18x18"):
        architectures.build_network(settings("simple_cnn"), (17, 40, 3))
    smallest = architectures.build_network(settings("simple_cnn"), (18, 18, 3))
    assert smallest.whole.output_shape == (None, 1)


def test_head_follows_the_config():
    network = architectures.build_network(
        settings("MobileNetV2", pooling="flatten", dense_units=[32, 8], dropout=0.25), (32, 32, 3)
    )
    layers = network.head.layers
    assert [layer.units for layer in layers if hasattr(layer, "units")] == [32, 8, 2]
    assert layers[-2].rate == 0.25
    assert network.backbone.output.shape == (None, 1, 1, 1280)


def test_mean_image_is_subtracted_and_saved_with_the_model(tmp_path):
    mean_image = np.random.default_rng(0).uniform(0, 255, (20, 20, 3)).astype("float32")
    images = np.random.default_rng(1).integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    network = architectures.build_network(settings("simple_cnn"), (20, 20, 3))
    scaling = preprocessing.build_scaling("mean_image_plain", None, mean_image)
    np.testing.assert_allclose(scaling.predict(images, verbose=0), images - mean_image, atol=1e-4)
    image = keras.Input((20, 20, 3), dtype="uint8")
    model = keras.Model(image, network.whole(scaling(image)))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0)
    )


def test_imagenet_scaling_is_that_of_the_network():
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    scaling = preprocessing.build_scaling("imagenet", "mobilenet_v2", np.zeros((32, 32, 3)))
    np.testing.assert_allclose(scaling.predict(images, verbose=0), images / 127.5 - 1.0, atol=1e-6)
    with pytest.raises(InputError, match="simple_cnn has no ImageNet weights"):
        preprocessing.build_scaling("imagenet", None, np.zeros((32, 32, 3)))


@pytest.mark.parametrize("architecture", ["VGG19", "DenseNet169", "MobileNetV2", "ResNet50V2"])
def test_mean_image_takes_the_place_of_imagenets_mean(architecture):
    """The oracle is Keras' own ``preprocess_input``, with the mean that it subtracts replaced."""
    random = np.random.default_rng(0)
    mean_image = random.uniform(0, 255, (8, 8, 3)).astype("float32")
    images = random.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    _, module = architectures.find_application(architecture)
    application = importlib.import_module(f"keras.applications.{module}")
    # The colour that Keras turns into 0 is ImageNet's mean, in the order of the output.
    imagenet = {"vgg19": [103.939, 116.779, 123.68], "densenet": [123.675, 116.28, 103.53]}
    zero = np.array(imagenet.get(module, [127.5] * 3), dtype="float32")
    ordered = zero[::-1] if module == "vgg19" else zero
    assert np.abs(application.preprocess_input(ordered[None, None].copy())).max() < 1e-5
    for kind in ("mean_image_imagenet", "source_mean_image_imagenet"):
        scaling = preprocessing.build_scaling(kind, module, mean_image)
        shifted = images.astype("float32") - mean_image + ordered
        expected = application.preprocess_input(shifted)
        np.testing.assert_allclose(scaling.predict(images, verbose=0), expected, atol=1e-4)


def test_mean_image_becomes_zero_in_a_network_that_scales_images_itself():
    mean_image = np.random.default_rng(0).uniform(0, 255, (32, 32, 3)).astype("float32")
    shape = (32, 32, 3)
    backbone, module = architectures.build_backbone("EfficientNetV2B0", "average", shape)
    scaling = preprocessing.build_scaling("mean_image_imagenet", module, mean_image, backbone)
    read = scaling.predict(mean_image[None], verbose=0)
    # The mean that this network subtracts itself, as shares of 255.
    imagenet = np.multiply([0.485, 0.456, 0.406], 255)
    np.testing.assert_allclose(read, np.broadcast_to(imagenet, read.shape), atol=1e-3)
    scales_itself = (keras.layers.Rescaling, keras.layers.Normalization)
    for layer in backbone.layers:
        if isinstance(layer, scales_itself):
            read = keras.ops.convert_to_numpy(layer(read))
    np.testing.assert_allclose(read, 0, atol=1e-4)


def test_scaled_mean_image_is_saved_with_the_model(tmp_path):
    mean_image = np.full((20, 20, 3), 60.0, dtype="float32")
    images = np.random.default_rng(1).integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    for kind, module, expected in (
        ("mean_image_scaled", None, (images - 60.0) / 127.5),
        ("mean_image_imagenet", "vgg16", images[..., ::-1] - 60.0),
    ):
        scaling = preprocessing.build_scaling(kind, module, mean_image)
        scaling.save(tmp_path / "scaling.keras")
        loaded = keras.saving.load_model(tmp_path / "scaling.keras")
        np.testing.assert_allclose(loaded.predict(images, verbose=0), expected, atol=1e-4)


def test_backbone_weights_come_from_the_file(tmp_path):
    source = architectures.build_network(settings("MobileNetV2"), (32, 32, 3)).backbone
    source.save_weights(tmp_path / "source.weights.h5")
    # Another image size: the weights of convolutions do not depend on it.
    target = architectures.build_network(settings("MobileNetV2"), (48, 48, 3)).backbone
    architectures.load_backbone_weights(target, tmp_path / "source.weights.h5")
    for loaded, saved in zip(target.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, saved)


def test_wrong_weights_are_an_error(tmp_path):
    backbone = architectures.build_network(settings("MobileNetV2"), (32, 32, 3)).backbone
    with pytest.raises(InputError, match=r"missing\.weights\.h5 does not exist"):
        architectures.load_backbone_weights(backbone, tmp_path / "missing.weights.h5")
    other = architectures.build_network(settings("VGG16"), (32, 32, 3)).backbone
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(InputError, match="does not hold the weights of mobilenetv2"):
        architectures.load_backbone_weights(backbone, tmp_path / "other.weights.h5")
    (tmp_path / "zero.weights.h5").write_bytes(b"")
    with pytest.raises(InputError, match="does not hold the weights"):
        architectures.load_backbone_weights(backbone, tmp_path / "zero.weights.h5")


@pytest.mark.parametrize(
    ("architecture", "blocks"),
    [
        ("VGG19", ["block1", "block2", "block3", "block4", "block5"]),
        ("DenseNet169", ["conv1", "conv2", "pool2", "conv3", "pool3", "conv4", "pool4", "conv5"]),
    ],
)
def test_layers_know_their_stage(architecture, blocks):
    network = architectures.build_network(settings(architecture), (64, 64, 3))
    rows = architectures.describe_layers(network)
    found = [row["block"] for row in rows]
    positions = [found.index(block) for block in blocks]
    assert positions == sorted(positions)
    assert sum(row["parameters"] for row in rows) == network.whole.count_params()
