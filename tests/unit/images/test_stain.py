"""Stain normalisation against torchstain's NumPy methods, and hostile images."""

import json
import os
import subprocess
import sys

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from torchstain.numpy.normalizers import NumpyMacenkoNormalizer, NumpyReinhardNormalizer
from torchstain.numpy.utils import rgb2lab

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names
from blastfold.folds import stain_reference
from blastfold.folds.mean_image import compute_mean_images
from blastfold.images import stain
from blastfold.images.decoding import decode_image
from blastfold.leakage.fitted_artefacts import check_fitted, read_fitted
from blastfold.networks.stain_layers import StainNormalisation, build_stain_layer

ORACLES = {"reinhard": NumpyReinhardNormalizer, "macenko": NumpyMacenkoNormalizer}
MOST = 0.01
"""Largest mean absolute difference on [0, 1] images."""

STAINS = np.array([[0.65, 0.07], [0.70, 0.99], [0.29, 0.11]])

both_methods = pytest.mark.parametrize("method", list(ORACLES))


def draw_tissue(seed, strength=(1.2, 0.6), size=64, tilt=0.0):
    """A generated H&E image filled with tissue: blurred fields of two dyes that absorb light."""
    random = np.random.default_rng(seed)
    fields = random.random((size // 8, size // 8, 2)).repeat(8, axis=0).repeat(8, axis=1)
    each = (0.25 + fields) * strength + random.normal(0, 0.03, (size, size, 2))
    stains = STAINS + tilt * np.array([[-0.1, 0.15], [0.05, -0.1], [0.1, 0.1]])
    return np.clip(240 * np.exp(-each @ stains.T), 0, 215).astype(np.uint8)


def with_background(image):
    """The same image with a quarter of white and a quarter of black background."""
    image = image.copy()
    half = len(image) // 2
    image[:half, :half] = 255
    image[half:, half:] = np.random.default_rng(1).integers(0, stain.BLACK + 1, (half, half, 3))
    return image


def in_layer(images, method, reference):
    layer = build_stain_layer({"stain": method, "reference": reference})
    return keras.ops.convert_to_numpy(layer(images))


def fitted_on(images, method):
    return stain.combine([stain.fit_image(image, method) for image in images])


def fitted_oracle(images, method):
    """torchstain's method with the median of what it finds in each image as its reference."""
    oracle = ORACLES[method]()
    names = {
        "reinhard": ("target_means", "target_stds"),
        "macenko": ("HERef", "maxCRef"),
    }[method]
    found = {name: [] for name in names}
    for image in images:
        oracle.fit(image)
        for name in names:
            found[name].append(getattr(oracle, name))
    for name, values in found.items():
        setattr(oracle, name, np.median(values, axis=0))
    if method == "macenko":
        oracle.HERef /= np.linalg.norm(oracle.HERef, axis=0)
    return oracle


def normalised_by(oracle, image):
    result = oracle.normalize(image)
    return result[0] if isinstance(result, tuple) else result


@pytest.fixture(scope="module")
def training():
    return np.stack([draw_tissue(seed, (0.9 + 0.1 * seed, 0.8)) for seed in range(5)])


@pytest.fixture(scope="module")
def sources():
    return np.stack([draw_tissue(seed, (0.6, 1.1), tilt=0.3 + seed / 50) for seed in range(9, 14)])


@pytest.fixture
def patches(test_data):
    """Real H&E patches, some with much bare glass."""
    file = test_data / "pcam_sample" / "camelyonpatch_level_2_split_train_x.h5"
    with h5py.File(file) as stored:
        patches = stored["x"][:]
    return patches[::75]


def test_macenko_statistics_equal_torchstains(training):
    for image in training:
        own, oracle = stain.fit_image(image, "macenko"), fitted_oracle([image], "macenko")
        np.testing.assert_allclose(own["stains"], oracle.HERef, rtol=1e-9)
        np.testing.assert_allclose(own["concentrations"], oracle.maxCRef, rtol=1e-9)


def test_reinhard_statistics_equal_torchstains(training):
    for image in training:
        own, oracle = stain.fit_image(image, "reinhard"), fitted_oracle([image], "reinhard")
        # torchstain computes in single precision.
        np.testing.assert_allclose(own["means"], oracle.target_means, rtol=1e-4)
        np.testing.assert_allclose(own["deviations"], oracle.target_stds, rtol=1e-4)


@both_methods
def test_reference_is_within_the_images(training, method):
    reference = fitted_on(training, method)
    each = [stain.fit_image(image, method) for image in training]
    for name, values in reference.items():
        assert values.shape == stain.SHAPES[method][name]
        found = np.stack([own[name] for own in each])
        assert (values >= found.min(axis=0) - 0.01).all()
        assert (values <= found.max(axis=0) + 0.01).all()
    # One image of another laboratory changes little.
    odd = draw_tissue(1, (3, 0.2), tilt=1)
    with_odd = fitted_on([*training, odd], method)
    far = stain.fit_image(odd, method)
    for name, values in reference.items():
        distance = np.abs(far[name] - values).max()
        assert np.abs(with_odd[name] - values).max() < 0.25 * distance


def test_planted_stains_are_found():
    planted = np.array([[0.65, 0.30], [0.70, 0.85], [0.29, 0.43]])
    planted /= np.linalg.norm(planted, axis=0)
    random = np.random.default_rng(3)
    share = random.random((64, 64, 1))
    each = np.concatenate([share, 1 - share], axis=-1) * random.uniform(0.8, 2, (64, 64, 1))
    image = np.rint(240 * np.exp(-each @ planted.T) - 1).astype(np.uint8)
    found = stain.fit_image(image, "macenko")
    cosines = (found["stains"] * planted).sum(axis=0)
    assert (cosines > np.cos(np.radians(1))).all()
    # The 99th percentile of the product of two uniform draws, from a million of them.
    expected = np.percentile(random.random(10**6) * random.uniform(0.8, 2, 10**6), 99)
    np.testing.assert_allclose(found["concentrations"], expected, rtol=0.05)


@both_methods
def test_agrees_with_torchstain_on_generated_images(training, sources, method):
    reference, oracle = fitted_on(training, method), fitted_oracle(training, method)
    layer = in_layer(sources, method, reference)
    for image, from_layer in zip(sources, layer, strict=True):
        expected = normalised_by(oracle, image).astype(float)
        assert np.abs(image - expected).mean() / 255 > 3 * MOST
        for mine in (stain.normalise_image(image, method, reference), from_layer):
            assert np.abs(mine - expected).mean() / 255 < MOST


@both_methods
def test_agrees_with_torchstain_on_real_patches(patches, method):
    assert len(patches) == 20
    reference, oracle = fitted_on(patches[:10], method), fitted_oracle(patches[:10], method)
    layer = in_layer(patches, method, reference)
    for image, from_layer in zip(patches, layer, strict=True):
        expected = normalised_by(oracle, image).astype(float)
        for mine in (stain.normalise_image(image, method, reference), from_layer):
            assert np.abs(mine - expected).mean() / 255 < MOST


@both_methods
def test_next_to_background_it_is_torchstain_of_the_tissue_alone(training, sources, method):
    with_both = np.stack([with_background(image) for image in training])
    shown = stain.is_shown(with_both)
    assert 0.45 < shown.mean() < 0.55
    pairs = zip(with_both, shown, strict=True)
    oracle = fitted_oracle([image[mask][:, None] for image, mask in pairs], method)
    reference = fitted_on(with_both, method)
    images = np.stack([with_background(image) for image in sources])
    for image, from_layer in zip(images, in_layer(images, method, reference), strict=True):
        mask = stain.is_shown(image)
        expected = normalised_by(oracle, image[mask][:, None])[:, 0].astype(float)
        for mine in (stain.normalise_image(image, method, reference), from_layer):
            assert np.abs(mine[mask] - expected).mean() / 255 < MOST
            np.testing.assert_array_equal(mine[~mask], image[~mask])


@both_methods
def test_black_background_of_real_cells_stays_black(test_data, training, method):
    files = sorted((test_data / "cnmc2019_sample" / "fold_1").glob("*/*.png"))[::300]
    cells = np.stack([decode_image(file.read_bytes()) for file in files])
    reference = fitted_on(cells, method)
    black = (cells == 0).all(axis=-1)
    assert 0.5 < black.mean() < 0.95
    normalised = in_layer(cells, method, reference)
    assert (normalised[black] == 0).all()
    assert np.isfinite(normalised).all()
    # Statistics with the background would be far from those of the cells.
    assert fitted_on(cells, "reinhard")["means"][0] > 15
    tissue = stain.is_shown(cells)
    assert np.abs(normalised[tissue] - cells[tissue]).mean() > 0.5


def one_colour(*colour):
    return np.full((32, 32, 3), colour, dtype=np.uint8)


def hostile_images():
    random = np.random.default_rng(5)
    speck = one_colour(255, 255, 255)
    speck[3, 4] = (120, 60, 150)
    halves = one_colour(200, 120, 180)
    halves[:16] = (90, 40, 130)
    ramp = np.linspace(0, 255, 32).astype(np.uint8)
    return {
        "white": one_colour(255, 255, 255),
        "black": one_colour(0, 0, 0),
        "glass": random.integers(225, 250, (32, 32, 3)),
        "nearly black": random.integers(0, stain.BLACK + 1, (32, 32, 3)),
        "purple": one_colour(120, 60, 150),
        "grey": one_colour(128, 128, 128),
        "pure red": one_colour(255, 0, 0),
        "pale": one_colour(210, 215, 212),
        "speck": speck,
        "two colours": halves,
        "grey ramp": np.broadcast_to(ramp[:, None, None], (32, 32, 3)),
        "noise": random.integers(0, 256, (32, 32, 3)),
    }


@both_methods
@pytest.mark.parametrize("name", hostile_images())
def test_hostile_images_stay_finite_and_in_range(training, method, name):
    image = hostile_images()[name].astype(np.uint8)
    reference = fitted_on(training, method)
    mine = stain.normalise_image(image, method, reference)
    layer = in_layer(image[None], method, reference)[0]
    for result in (mine, layer):
        assert np.isfinite(result).all()
        assert result.min() >= 0
        assert result.max() <= 255
    np.testing.assert_allclose(layer, mine, atol=0.5)
    if name in ("white", "glass", "black", "nearly black", "speck"):
        np.testing.assert_array_equal(layer, image)
        np.testing.assert_array_equal(mine, image)


@both_methods
def test_layer_equals_numpy_pixel_by_pixel(training, sources, method):
    reference = fitted_on(training, method)
    layer = in_layer(sources, method, reference)
    for image, from_layer in zip(sources, layer, strict=True):
        mine = stain.normalise_image(image, method, reference)
        np.testing.assert_allclose(from_layer, mine, atol=0.05)


@both_methods
def test_images_of_a_batch_do_not_influence_one_another(training, sources, method):
    reference = fitted_on(training, method)
    together = in_layer(sources, method, reference)
    for image, in_batch in zip(sources, together, strict=True):
        alone = in_layer(image[None].astype(np.float32), method, reference)[0]
        np.testing.assert_allclose(in_batch, alone, atol=1e-2)


@both_methods
def test_saved_model_needs_nothing_else(training, sources, method, tmp_path):
    reference = fitted_on(training, method)
    image = keras.Input((64, 64, 3), dtype="uint8")
    record = {"stain": method, "reference": reference}
    model = keras.Model(image, build_stain_layer(record)(image))
    assert model.trainable_weights == []
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    result = loaded.predict(sources, verbose=0)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, in_layer(sources, method, reference), atol=1e-2)


@both_methods
def test_compiled_layer_computes_the_same(training, sources, method):
    import tensorflow as tf

    layer = StainNormalisation(method)
    layer.set_reference(fitted_on(training, method))
    compiled = tf.function(layer, jit_compile=True)(tf.constant(sources))
    np.testing.assert_allclose(compiled, layer(sources), atol=0.05)


@both_methods
def test_half_precision_elsewhere_changes_nothing(training, sources, method):
    reference = fitted_on(training, method)
    expected = in_layer(sources, method, reference)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = in_layer(sources.astype(np.float32), method, reference)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(layer, expected, atol=1e-2)


@both_methods
def test_gradients_are_finite(training, sources, method):
    import tensorflow as tf

    layer = StainNormalisation(method)
    layer.set_reference(fitted_on(training, method))
    hostile = np.stack(list(hostile_images().values())).astype(np.float32)
    for images in (hostile, sources.astype(np.float32)):
        watched = tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(watched)
            total = tf.reduce_sum(layer(watched))
        assert np.isfinite(tape.gradient(total, watched)).all()


@pytest.fixture(scope="module")
def results_on_jax(training, sources, tmp_path_factory):
    """Results of the layers of both methods from one process in which Keras runs on JAX."""
    folder = tmp_path_factory.mktemp("jax")
    records = [
        {"stain": method, "reference": {name: values.tolist() for name, values in fitted.items()}}
        for method, fitted in ((method, fitted_on(training, method)) for method in ORACLES)
    ]
    (folder / "records.json").write_text(json.dumps(records))
    np.save(folder / "images.npy", sources)
    program = (
        "import json, keras, numpy as np\n"
        "from blastfold.networks.stain_layers import build_stain_layer\n"
        "assert keras.backend.backend() == 'jax'\n"
        "images = np.load('images.npy')\n"
        "for record in json.load(open('records.json')):\n"
        "    result = keras.ops.convert_to_numpy(build_stain_layer(record)(images))\n"
        "    np.save(record['stain'] + '.npy', result)\n"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, check=True)
    return {method: np.load(folder / f"{method}.npy") for method in ORACLES}


@both_methods
def test_layer_computes_the_same_on_another_backend(training, sources, method, results_on_jax):
    expected = in_layer(sources, method, fitted_on(training, method))
    np.testing.assert_allclose(results_on_jax[method], expected, atol=0.05)


def test_colours_are_converted_as_by_torchstain():
    colours = np.random.default_rng(0).integers(0, 256, (500, 3), dtype=np.uint8)
    expected = rgb2lab(colours.astype(np.float32) / 255) / (2.55, 1, 1) - (0, 128, 128)
    np.testing.assert_allclose(stain.to_lab(colours), expected, atol=2e-3)
    np.testing.assert_allclose(stain.from_lab(stain.to_lab(colours)), colours, atol=0.05)


def write_data_set(folder, images, roles):
    """Fold 0 has the given roles; fold 1 trains on all images."""
    names = [f"image-{number}" for number in range(len(images))]
    np.save(folder / "images.npy", images)
    manifest = pd.DataFrame({"image_id": names, "label": 0, "class": "normal"})
    manifest.to_csv(folder / "manifest.tsv", sep="\t", index=False)
    table = pd.DataFrame({"image_id": names, "repeat": 0, "fold": 0, "role": roles})
    table = pd.concat([table, table.assign(fold=1, role="train")])
    table.to_csv(folder / "folds.tsv", sep="\t", index=False)
    return [folder / name for name in ("images.npy", "manifest.tsv", "folds.tsv")]


def fit_in(folder, images, roles, method="macenko"):
    paths = write_data_set(folder, images, roles)
    outputs = [folder / "fit" / "stain.json", folder / "fit" / "stain.npy"]
    stain_reference.fit_stain(*paths, method, *outputs)
    return json.loads(outputs[0].read_text()), np.load(outputs[1])


ROLES = ["train", "test", "train", "validation", "train"]


@both_methods
def test_fit_of_a_fold_sees_its_training_images_alone(training, tmp_path, method):
    records, mean_images = fit_in(tmp_path, training, ROLES, method)
    for fold, rows in enumerate(([0, 2, 4], range(5))):
        reference = fitted_on(training[list(rows)], method)
        for name, values in reference.items():
            np.testing.assert_array_equal(records[fold]["reference"][name], values)
        normalised = [stain.normalise_image(training[i], method, reference) for i in rows]
        np.testing.assert_allclose(mean_images[fold], np.mean(normalised, 0), rtol=1e-6)
    assert mean_images.dtype == np.float32
    others = training.copy()
    others[[1, 3]] = np.random.default_rng(0).integers(0, 256, others[[1, 3]].shape)
    again, again_mean = fit_in(tmp_path, others, ROLES, method)
    assert again[0] == records[0]
    assert again[1] != records[1]
    np.testing.assert_array_equal(again_mean[0], mean_images[0])


def test_record_is_audited_like_that_of_the_mean_image(training, tmp_path):
    records, _ = fit_in(tmp_path, training, ROLES)
    inputs = [tmp_path / name for name in ("images.npy", "manifest.tsv", "folds.tsv")]
    compute_mean_images(*inputs, tmp_path / "mean.npy", tmp_path / "mean.json")
    mean_records = json.loads((tmp_path / "mean.json").read_text())
    for record, mean_record in zip(records, mean_records, strict=True):
        assert {key: record[key] for key in mean_record} == mean_record
    assert records[0]["fitted_on"] == digest_names(["image-0", "image-2", "image-4"])
    folds = pd.read_csv(tmp_path / "folds.tsv", sep="\t")
    names = {"dataset": "d", "protocol": "p", "artefact": "macenko stain"}
    read = read_fitted(tmp_path / "fit" / "stain.json")
    checked = check_fitted({("d", "p"): folds}, [names | record for record in read])
    assert checked["fitted_part"].tolist() == ["train", "train"]


@pytest.mark.parametrize("method", list(ORACLES))
def test_training_images_without_tissue_are_an_error(training, tmp_path, method):
    images = training.copy()
    images[[0, 2, 4]] = 255
    expected = r"images\.npy: the stains of none of the 3 training images of fold 0"
    with pytest.raises(InputError, match=expected):
        fit_in(tmp_path, images, ROLES, method)
    assert not (tmp_path / "fit").exists()


def test_stains_of_one_colour_cannot_be_found(training, tmp_path):
    images = training.copy()
    images[:] = (120, 60, 150)
    with pytest.raises(InputError, match="of several colours"):
        fit_in(tmp_path, images, ROLES, "macenko")


def test_fold_without_training_images_is_an_error(training, tmp_path):
    with pytest.raises(InputError, match=r"folds\.tsv: fold 0 has no row with role 'train'"):
        fit_in(tmp_path, training, ["test"] * 5)
