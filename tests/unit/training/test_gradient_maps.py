"""Grad-CAM against a network computed by hand, finite differences and planted markers."""

import keras
import numpy as np
import pytest
from support.trainings import blobs, build_trainer, model_settings

from blastfold.networks.architectures import build_backbone
from blastfold.networks.layers import MeanImageSubtraction
from blastfold.networks.prediction_views import MeanOfViews, PredictionViews
from blastfold.statistics.attribution import enlarge, shares_on_cell
from blastfold.training.deletion import deletion_curves, removed
from blastfold.training.gradient_maps import (
    NoFeatureMapsError,
    class_maps,
    find_places,
    leaf_layers,
    randomise,
)


def by_hand(outputs=2):
    """One 1x1 convolution to two maps, their sum over places, one dense layer; nested."""
    image = keras.Input((3, 4, 3), dtype="uint8")
    inner = keras.Input((3, 4, 3))
    convolution = keras.layers.Conv2D(2, 1, use_bias=False, name="convolution")
    maps = keras.layers.GlobalAveragePooling2D()(convolution(inner))
    backbone = keras.Model(inner, maps, name="backbone")
    classifier = keras.layers.Dense(outputs, activation="softmax" if outputs > 1 else "sigmoid")
    model = keras.Model(image, classifier(backbone(keras.layers.Rescaling(1.0)(image))))
    # The first map is the red of a pixel, the second one its green.
    convolution.set_weights([np.float32([[1, 0], [0, 1], [0, 0]])[None, None]])
    kernel = np.float32([[2, -1], [0, 3]])[:, :outputs]
    classifier.set_weights([kernel, np.zeros(outputs, "float32")])
    return model


def test_the_map_of_a_network_is_the_one_computed_by_hand():
    images = np.random.default_rng(0).integers(0, 255, (3, 3, 4, 3), dtype=np.uint8)
    model = by_hand()
    maps = class_maps(model, find_places(model), images, [0, 1, 1])
    # Score 0 is 2 mean(red): every place has the gradient 2 / 12. Score 1 is 3 mean(green) -
    # mean(red).
    red, green = images[..., 0].astype(float), images[..., 1].astype(float)
    assert maps[0] == pytest.approx(red[0] * 2 / 12, rel=1e-5)
    assert maps[1:] == pytest.approx((3 * green[1:] - red[1:]) / 12, rel=1e-5)
    # Nothing of the model is changed by it.
    assert model.predict_on_batch(images).sum(axis=1) == pytest.approx(1)


def test_one_neuron_has_the_score_of_both_classes():
    images = np.full((2, 3, 4, 3), 100, np.uint8)
    model = by_hand(outputs=1)
    maps = class_maps(model, find_places(model), images, [0, 1])
    assert maps[1] == pytest.approx(100 * 2 / 12, rel=1e-5)
    assert maps[0] == pytest.approx(-maps[1])


def test_the_map_agrees_with_finite_differences_through_a_trained_head():
    images, labels = blobs(4, size=32)
    trainer = build_trainer(images, model_settings(epochs=1))
    model = trainer.predicting
    found = class_maps(model, find_places(model), images[:2], labels[:2])
    # The same score from the feature maps alone, by the layers behind them.
    network = trainer.network
    scaled = images[:2] - images.mean(axis=0)
    maps = network.backbone.predict_on_batch(scaled.astype("float32")).astype("float64")
    dense, classifier = network.head.layers[-2], network.head.layers[-1]
    first, second = (
        [w.astype("float64") for w in layer.get_weights()] for layer in (dense, classifier)
    )

    def score(values, label):
        hidden = np.maximum(values.ravel() @ first[0] + first[1], 0)
        logit = (hidden @ second[0] + second[1]).item()
        return logit if label else -logit

    for row, label in enumerate(labels[:2]):
        channels = maps.shape[-1]
        # The mean gradient of a map: the change with all of its places, by their number.
        weights = np.empty(channels)
        for channel in range(channels):
            step = np.zeros(maps.shape[1:])
            step[..., channel] = 1e-4
            change = score(maps[row] + step, label) - score(maps[row] - step, label)
            weights[channel] = change / 2e-4 / step[..., 0].size
        assert found[row] == pytest.approx(maps[row] @ weights, rel=1e-3, abs=1e-6)


def test_of_several_views_the_map_is_that_of_the_image_itself():
    images = np.random.default_rng(1).integers(0, 255, (2, 4, 4, 3), dtype=np.uint8)
    image = keras.Input((4, 4, 3), dtype="uint8")
    convolution = keras.layers.Conv2D(2, 3, padding="same", activation="relu")
    classifier = keras.layers.Dense(2, activation="softmax")

    def output(given):
        maps = convolution(keras.layers.Rescaling(1 / 255)(given))
        return classifier(keras.layers.GlobalAveragePooling2D()(maps))

    plain = keras.Model(image, output(image))
    views = keras.Model(image, MeanOfViews(4)(output(PredictionViews(4)(image))))
    expected = class_maps(plain, find_places(plain), images, [0, 1])
    found = class_maps(views, find_places(views), images, [0, 1])
    assert found == pytest.approx(expected / 4, rel=1e-4, abs=1e-7)


def test_a_network_without_convolutions_or_places_is_named():
    image = keras.Input((8, 8, 3))
    dense = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(image))
    with pytest.raises(NoFeatureMapsError, match="has no convolution"):
        find_places(keras.Model(image, dense))
    maps = keras.layers.Conv2D(4, 8)(image)
    one = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(maps))
    with pytest.raises(NoFeatureMapsError, match="last maps have 1x1 places"):
        find_places(keras.Model(image, one))


@pytest.mark.parametrize(
    ("architecture", "layer", "size"),
    [("mobilenet_v2", "out_relu", 3), ("vgg16", "block5_conv3", 6)],
)
def test_the_last_maps_of_known_networks(architecture, layer, size):
    backbone, _ = build_backbone(architecture, "average", (96, 96, 3))
    head = keras.layers.Dense(2, activation="softmax")
    places = find_places(keras.Model(backbone.input, head(backbone.output)))
    assert places.maps.name == layer
    assert places.maps.output.shape[1] == size


def test_randomised_weights_are_others_and_what_was_fitted_stays():
    model = by_hand()
    mean = MeanImageSubtraction((3, 4, 3))
    mean.set_mean_image(np.full((3, 4, 3), 7, "float32"))
    norm = keras.layers.BatchNormalization()
    norm.build((None, 3))
    norm.set_weights([np.full(3, value, "float32") for value in (2, 3, 4, 5)])
    layers = [*leaf_layers(model), mean, norm]
    before = model.get_weights()
    randomise(layers, 3)
    once = model.get_weights()
    kernels = [place for place, values in enumerate(before) if values.ndim > 1]
    assert len(kernels) == 2
    assert not any(np.array_equal(before[place], once[place]) for place in kernels)
    assert (mean.get_weights()[0] == 7).all()
    # Scale and offset, then the mean and the variance of a new layer.
    assert [values[0] for values in norm.get_weights()] == [1, 0, 0, 1]
    randomise(layers, 3)
    again = model.get_weights()
    assert all(np.array_equal(*pair) for pair in zip(once, again, strict=True))


def cells_of(marked, count=32, seed=0):
    """Pictures with one cell each, their labels and masks.

    Args:
        marked: Whether blasts have the cells of normal images and a marker in a corner; else their
            cells have another colour.
    """
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    rows, columns = np.mgrid[:40, :40]
    centres = random.uniform(17, 23, (2, count, 1, 1))
    masks = np.hypot(rows - centres[0], columns - centres[1]) < 8
    colours = np.where(labels[:, None] == (2 if marked else 1), [90, 60, 140], [190, 165, 205])
    images = np.where(masks[..., None], colours[:, None, None], [230, 200, 210])
    if marked:
        images[labels == 1, 1:8, 1:8] = (40, 220, 60)
    noise = random.normal(0, 8, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8), labels, masks


def small_network():
    image = keras.Input((40, 40, 3), dtype="uint8")
    maps = keras.layers.Rescaling(1 / 64, offset=-3.0)(image)
    for filters in (8, 16):
        maps = keras.layers.Conv2D(filters, 3, strides=2, activation="relu")(maps)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(pooled))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


@pytest.fixture(scope="module")
def network():
    return small_network()


def ratio_on_blasts(network, marked):
    """Train the network; return the mean ratio of shares on the cells of unseen blasts."""
    randomise(list(leaf_layers(network)), 1)
    images, labels, _ = cells_of(marked)
    for _ in range(50):
        network.train_on_batch(images, labels)
    unseen, labels, masks = cells_of(marked, seed=1)
    assert (network.predict_on_batch(unseen).argmax(axis=1) == labels).all()
    blasts = labels == 1
    maps = class_maps(network, find_places(network), unseen[blasts], labels[blasts])
    shares = shares_on_cell(enlarge(np.maximum(maps, 0), (40, 40)), masks[blasts])
    return np.mean(shares / masks[blasts].mean(axis=(1, 2)))


def test_a_network_that_looks_at_a_marker_in_the_corner_is_found_out(network):
    assert ratio_on_blasts(network, marked=False) > 3
    assert ratio_on_blasts(network, marked=True) < 0.1


def sees_a_corner():
    """The probability is that of the mean brightness of the first 4x4 of 8x8 pixels."""
    image = keras.Input((8, 8, 3), dtype="uint8")
    corner = keras.layers.Cropping2D(((0, 4), (0, 4)))(keras.layers.Rescaling(1 / 255)(image))
    classifier = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Model(image, classifier(keras.layers.GlobalAveragePooling2D()(corner)))
    classifier.set_weights([np.float32([[4], [0], [0]]), np.float32([-1])])
    return model


def test_deletion_curves_are_those_computed_by_hand():
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4, :4] = 255
    # The quarter of the picture that is seen is all the bright one, and first of the attribution.
    maps = np.array([[[1, 0], [0, 0]]], np.float32).repeat(30, axis=0)
    images, classes = picture[None].repeat(30, axis=0), np.arange(30) % 2
    curves = deletion_curves(sees_a_corner(), maps, images, classes, seed=0)
    # Removed pixels are 64, the mean; after an eighth of the picture half of the corner is.
    seen = np.array([255, (255 + 64) / 2, *[64] * 7]) / 255
    expected = 1 / (1 + np.exp(1 - 4 * seen))
    assert curves[1, 0] == pytest.approx(expected, abs=1e-6)
    assert curves[0, 0] == pytest.approx(1 - expected, abs=1e-6)
    # By chance the corner is first in about a quarter of the orders, and else it is later.
    blasts = curves[classes == 1]
    first = [np.allclose(chance, expected, atol=1e-6) for chance in blasts[:, 1]]
    assert 0 < sum(first) < 10
    assert (blasts[:, 1] >= expected - 1e-6).all()
    again = deletion_curves(sees_a_corner(), maps, images, classes, seed=0)
    np.testing.assert_array_equal(curves, again)


def test_removed_pixels_have_the_mean_colour_and_the_others_stay():
    picture = np.random.default_rng(0).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    order = np.random.default_rng(1).permutation(16)
    changed = removed(picture, order)
    mean = np.round(picture.mean(axis=(0, 1)))
    for eighths, other in enumerate(changed):
        gone = np.isin(np.arange(16), order[: 2 * eighths]).reshape(4, 4)
        assert (other[gone] == mean).all()
        assert (other[~gone] == picture[~gone]).all()
