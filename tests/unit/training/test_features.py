"""Features extracted once teach heads what training through the frozen backbone does."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from support.interruptions import stop_after
from support.trainings import (
    RUN,
    add_turned_fold,
    blobs,
    feature_settings,
    head_outputs_in,
    job_files,
    job_settings,
    model_entry,
    model_settings,
    run_job,
    write_job,
)
from support.transformers import MULTIPLY_ADDS, SIDE, draw_weights, tokens_of, write_transformer

from blastfold.core.errors import BlastfoldError
from blastfold.core.files import digest_file
from blastfold.core.predictions import read_predictions
from blastfold.core.settings import ModelSettings
from blastfold.core.tables import read_table
from blastfold.experiment.feature_sets import depends_on_fold, feature_set_name, feature_sets
from blastfold.images.decoding import decode_image, fit_image
from blastfold.networks import architectures, preprocessing
from blastfold.networks.augmentation import augment, draw_augmentations
from blastfold.training import (
    backbone_runtime,
    batches,
    feature_file,
    features,
    heads_job,
    start,
)
from blastfold.training.device_setup import Setup
from blastfold.training.keras_to_onnx import write_backbone
from blastfold.training.state import InterruptedTrainingError

# A backbone whose random weights still tell images apart, which deeper ones do not.
HEAD = {
    "architecture": "VGG16",
    "pooling": "average",
    "dense_units": [],
    "dropout": 0,
    "train": "head",
    "batch_size": 10,
    "learning_rate": 0.01,
}


def extract(folder, entry, shared=True, out="features", **changes):
    folds = None if shared else folder / "folds.tsv"
    features.extract_features(
        job_files(folder, folds=folds),
        feature_settings(entry),
        job_settings(states=folder / "states", **changes),
        "cells",
        folder / out,
    )
    return np.load(folder / out / ("shared.npy" if shared else "fold-0.npy"))


def train_heads(folder, entry, out):
    outputs = head_outputs_in(folder / out)
    heads_job.train_heads(
        job_files(folder),
        folder / "features",
        ModelSettings.read(entry),
        job_settings(states=folder / "states"),
        RUN,
        outputs,
    )
    return outputs


@pytest.mark.parametrize(
    "changes",
    [
        {"preprocessing": "imagenet"},
        {"preprocessing": "mean_image_imagenet"},
        {"preprocessing": "none", "dense_units": [16], "dropout": 0.5, "learning_rate": 1e-4},
        {"preprocessing": "imagenet", "augment": False, "schedule": "one_cycle"},
    ],
)
def test_heads_on_features_predict_what_the_plain_online_path_predicts(tmp_path, changes):
    images, labels = blobs(size=32)
    write_job(tmp_path, images, labels)
    entry = model_entry(**HEAD | changes)
    extract(tmp_path, entry, shared=not depends_on_fold(entry))
    stored = train_heads(tmp_path, entry, "stored")
    settings = ModelSettings.read(entry)
    online = run_job(tmp_path, "online", settings)
    one, two = (read_predictions(job.predictions) for job in (stored, online))
    assert one["image_id"].tolist() == two["image_id"].tolist()
    np.testing.assert_allclose(one["probability"], two["probability"], atol=1e-4)
    assert one["probability"].std() > 0.001
    # The assembled model takes stored images and predicts the same.
    networks = tmp_path / "networks"
    files = job_files(tmp_path)
    heads_job.assemble_networks(files, stored.heads, stored.runs, job_settings(), RUN, networks)
    model = keras.saving.load_model(networks / "fold-0.keras")
    tested = one[one["role"] == "test"]
    rows = tested["image_id"].str.split().str[1].astype(int)
    probability = model.predict(images[rows], verbose=0)[:, -1]
    np.testing.assert_allclose(probability, tested["probability"], atol=1e-4)
    assert not (tmp_path / "states").exists() or not list((tmp_path / "states").iterdir())


@pytest.mark.parametrize("preprocessing", ["imagenet", "mean_image_imagenet"])
def test_views_hold_the_features_of_the_changed_images(tmp_path, preprocessing):
    images, labels = blobs(size=32)
    write_job(tmp_path, images, labels)
    settings = model_settings(**HEAD, preprocessing=preprocessing, epochs=2)
    own = preprocessing != "imagenet"
    entry = model_entry(**HEAD, preprocessing=preprocessing, epochs=2)
    views = extract(tmp_path, entry, shared=not own)
    assert views.shape == (3, 60, 512)
    seed = start.augmentation_seed(7, "cells")
    backbone, _ = architectures.build_backbone(
        "VGG16", "average", (32, 32, 3), start.backbone_seed(7, "VGG16")
    )
    for view in range(3):
        changed = images.astype("float32")
        if view:
            draws = draw_augmentations(60, settings.augmentation, seed, view)
            changed = np.array(augment(changed, draws))
        scaled = keras.applications.vgg16.preprocess_input(changed.copy())
        rows = slice(None)
        if own:
            # The reference of VGG16 subtracts ImageNet's mean from blue, green and red; its
            # place takes the mean of the training images, which are the first 30.
            scaled += [103.939, 116.779, 123.68] - images[:30].mean(axis=0)[..., ::-1]
            rows = slice(0, 30) if view else slice(30, None)
        expected = backbone.predict(scaled, verbose=0)
        tolerance = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(views[view][rows], expected[rows], atol=tolerance)


def test_features_of_a_fold_hold_changed_views_of_its_training_images_alone(tmp_path):
    images, labels = blobs(size=32)
    write_job(tmp_path, images, labels)
    views = extract(tmp_path, model_entry(**HEAD, epochs=2), shared=False)
    # Rows 0 to 29 train, 30 to 39 validate, the others test.
    assert not views[1:, 30:].any()
    assert views[1:, :30].any(axis=2).all()
    assert views[0, 30:].any(axis=1).all()


def test_every_fold_has_random_start_weights_and_changes_of_its_own(tmp_path):
    images, labels = blobs(size=32)
    write_job(tmp_path, images, labels)
    folds = pd.read_csv(tmp_path / "folds.tsv", sep="\t")
    again = folds.assign(repeat=1, fold=1)
    pd.concat([folds, again]).to_csv(tmp_path / "folds.tsv", sep="\t", index=False)
    np.save(tmp_path / "mean.npy", np.repeat(np.load(tmp_path / "mean.npy"), 2, axis=0))
    entry = model_entry(**HEAD, preprocessing="none", epochs=1)
    first = extract(tmp_path, entry, shared=False)
    second = np.load(tmp_path / "features" / "fold-1.npy")
    backbone, _ = architectures.build_backbone(
        "VGG16", "average", (32, 32, 3), start.backbone_seed(7, "VGG16", 1)
    )
    expected = backbone.predict(images[30:].astype("float32"), verbose=0)
    np.testing.assert_allclose(second[0, 30:], expected, atol=1e-4 * np.abs(expected).max())
    seeds = [start.augmentation_seed(7, "cells", fold) for fold in (None, 0, 1)]
    assert seeds[0] == seeds[1] != seeds[2]
    records = [json.loads((tmp_path / "features" / f"fold-{n}.json").read_text()) for n in (0, 1)]
    assert [record["digests"]["seed"] for record in records] == seeds[1:]
    assert np.abs(first[0, 30:] - second[0, 30:]).max() > 0.01 * np.abs(expected).max()
    # The heads learn with seeds of their own and say which repeat they are of.
    outputs = train_heads(tmp_path, entry, "heads")
    predictions = read_predictions(outputs.predictions)
    assert predictions.groupby("fold")["repeat"].unique().map(list).tolist() == [[0], [1]]
    runs = json.loads(outputs.runs.read_text())
    assert [(run["repeat"], run["fold"]) for run in runs] == [(0, 0), (1, 1)]
    assert runs[0]["seed"] != runs[1]["seed"]
    # A whole network learns the same from the images of a later repeat.
    online = run_job(tmp_path, "online", ModelSettings.read(entry), number=1)
    alone = read_predictions(online.predictions)
    stored = predictions[predictions["fold"] == 1]
    np.testing.assert_allclose(stored["probability"], alone["probability"], atol=1e-4)


def test_heads_of_several_folds_are_those_of_single_jobs(tmp_path):
    images, labels = blobs(size=32)
    write_job(tmp_path, images, labels)
    add_turned_fold(tmp_path)
    entry = model_entry(**HEAD | {"preprocessing": "none", "dense_units": [8], "dropout": 0.3})
    extract(tmp_path, entry)
    together = train_heads(tmp_path, entry, "both")
    predictions = read_predictions(together.predictions)
    assert sorted(set(predictions["fold"])) == [0, 1]
    runs = json.loads(together.runs.read_text())
    assert [(run["job"], run["fold"]) for run in runs] == [("train_heads", 0), ("train_heads", 1)]
    features = tmp_path / "features"
    job = heads_job.HeadTraining(
        job_files(tmp_path), ModelSettings.read(entry), job_settings(), RUN, features
    )
    outcome = job.train(1, features, lambda: False)
    of_fold = [predictions[predictions["fold"] == fold] for fold in (0, 1)]
    # Reading a number from text may change its last bit.
    np.testing.assert_allclose(
        of_fold[1]["probability_blast"], outcome.predictions["probability_blast"], rtol=1e-15
    )
    alike = of_fold[0].merge(of_fold[1], on="image_id")
    assert (alike["probability_x"] != alike["probability_y"]).all()


def test_an_interrupted_extraction_continues_and_ends_the_same(tmp_path):
    images, _ = blobs(count=150, size=32)
    settings = model_settings(**HEAD, preprocessing="imagenet", epochs=2)
    backbone, application = architectures.build_backbone("VGG16", "average", (32, 32, 3), 3)
    prepared = preprocessing.build_preparation("imagenet", application, np.zeros((32, 32, 3)), None)
    source = batches.ImageInputs(images, settings.augmentation, 3)
    runtime = backbone_runtime.Runtime("Keras", backbone.predict_on_batch)
    rows = [np.arange(150)] * 3

    def run(folder, stop):
        work = feature_file.FeatureFile(folder, (3, 150, 512))
        begun = work.done
        features.Extraction(prepared, source, rows, stop).run(runtime, work)
        work.finish(tmp_path / f"{folder.name}.npy")
        return begun, np.load(tmp_path / f"{folder.name}.npy")

    _, whole = run(tmp_path / "whole", lambda: False)
    for calls in (0, 2, 3):
        with pytest.raises(InterruptedTrainingError):
            run(tmp_path / "again", stop_after(calls))
        assert not (tmp_path / "again.npy").exists()
    begun, again = run(tmp_path / "again", lambda: False)
    assert begun == 5
    np.testing.assert_array_equal(again, whole)
    assert not (tmp_path / "again").exists()


def test_models_share_features_when_only_their_heads_differ():
    base = model_entry(**HEAD, preprocessing="imagenet")
    changes = {"learning_rate": 0.5, "preprocessing": "imagenet", "dropout": 0.5, "epochs": 9}
    same = model_entry(**HEAD | changes)
    other = model_entry(**HEAD, preprocessing="imagenet", augment=False)
    assert feature_set_name(base) == feature_set_name(same) != feature_set_name(other)
    sets = feature_sets([base, same])
    assert [entry["epochs"] for entry in sets.values()] == [9]


def trained_backbone(architecture):
    """A backbone with weights as of a trained network: its batch normalisation is no identity."""
    backbone, _ = architectures.build_backbone(architecture, "average", (32, 32, 3), 1)
    random = np.random.default_rng(0)
    for variable in backbone.variables:
        spread = random.uniform(0.5, 1.5, variable.shape).astype("float32")
        variable.assign(variable + 0.1 * spread if "moving" in variable.path else variable * spread)
    backbone.trainable = False
    return backbone


on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="Keras alone runs elsewhere"
)


@on_tensorflow
def test_all_runtimes_agree_with_keras():
    # The features of other tests here are those of VGG16 by the runtime that is chosen for it.
    backbone = trained_backbone("MobileNetV2")
    batch = np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype("float32")
    expected = backbone.predict_on_batch(batch)
    tolerance = 1e-5 * np.abs(expected).max()
    setup = Setup("CPU", "float32", jit_compile=False)
    for name, title in (
        ("tensorflow", "TensorFlow with constant weights"),
        ("onnx", "ONNX Runtime"),
    ):
        compute = job_settings(feature_runtime=name)
        runtime = backbone_runtime.choose_runtime(backbone, setup, compute)
        assert runtime.name == title
        np.testing.assert_allclose(runtime.run(batch), expected, atol=tolerance)


@pytest.mark.parametrize(
    "setup", [Setup("GPU NVIDIA H100", "float32", False), Setup("CPU", "float32", True)]
)
def test_keras_runs_the_backbone_on_a_gpu_and_with_xla(setup):
    backbone, _ = architectures.build_backbone("MobileNetV2", "average", (32, 32, 3), 1)
    assert backbone_runtime.choose_runtime(backbone, setup, job_settings()).name == "Keras"


@on_tensorflow
def test_a_runtime_that_differs_is_an_error():
    backbone = trained_backbone("MobileNetV2")
    doubled = backbone_runtime.Runtime(
        "twice", lambda images: 2 * backbone.predict_on_batch(images)
    )
    with pytest.raises(BlastfoldError, match="features of twice differ from those of Keras by"):
        backbone_runtime.checked(lambda: doubled, backbone)


@on_tensorflow
def test_a_network_that_onnx_runtime_cannot_run_is_an_error():
    # As EfficientNetV2: its normalisation has constants that the export turns into inputs.
    image = keras.Input((32, 32, 3))
    scaled = keras.layers.Normalization(mean=[120.0, 90.0, 60.0], variance=[900.0] * 3)(image)
    maps = keras.layers.Conv2D(4, 3, activation="relu")(scaled)
    backbone = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
    setup = Setup("CPU", "float32", jit_compile=False)
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    runtime = backbone_runtime.choose_runtime(backbone, setup, job_settings())
    expected = backbone.predict_on_batch(images)
    tolerance = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(runtime.run(images), expected, atol=tolerance)
    with pytest.raises(BlastfoldError, match="Set feature_runtime: tensorflow"):
        backbone_runtime.choose_runtime(backbone, setup, job_settings(feature_runtime="onnx"))


def test_features_that_do_not_fit_on_the_disk_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(Exception, match="features: online"):
        feature_file.reserve({tmp_path / "digest": (1000, 10**9, 1280)})


def onnx_entry(path, size, **changes):
    """The ONNX twin of a Keras backbone that takes intensities of 0 to 255 in its own scale."""
    declared = {"file": str(path), "sha256": digest_file(path), "layout": "nhwc", "size": size}
    declared |= {"scale": 1.0, "mean": [0, 0, 0], "std": [1, 1, 1], "pooling": "none"}
    shared = {key: HEAD[key] for key in ("train", "batch_size", "learning_rate")}
    return model_entry(architecture="onnx", augment=False, onnx=declared | changes, **shared)


def features_and_predictions(folder, entry, out, weights):
    files = job_files(folder, folds=None, weights=weights)
    place = folder / out / "features"
    job = job_settings(states=folder / "states")
    features.extract_features(files, feature_settings(entry), job, "cells", place)
    outputs = head_outputs_in(folder / out)
    settings = ModelSettings.read(entry)
    heads_job.train_heads(job_files(folder, weights=weights), place, settings, job, RUN, outputs)
    return np.load(place / "shared.npy")[0], read_predictions(outputs.predictions), outputs


def test_an_onnx_file_and_vectors_of_another_program_teach_heads_the_same(tmp_path):
    images, labels = blobs(size=SIDE)
    write_job(tmp_path, images, labels)
    weights = draw_weights()
    write_transformer(tmp_path / "vit.onnx", weights)
    declared = {"scale": 1 / 255, "mean": [0.5] * 3, "std": [0.25] * 3}
    entry = onnx_entry(
        tmp_path / "vit.onnx", [SIDE, SIDE], layout="nchw", pooling="cls", **declared
    )
    found, predicted, outputs = features_and_predictions(
        tmp_path, entry, "onnx", tmp_path / "vit.onnx"
    )
    # NumPy computes the same vectors, which are then read from a table in another order.
    expected = tokens_of((images / 255 - 0.5) / 0.25, weights)[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    manifest = pd.read_csv(tmp_path / "manifest.tsv", sep="\t")
    table = pd.DataFrame(expected[::-1])
    table.insert(0, "image_id", manifest["image_id"][::-1].to_numpy())
    table.to_csv(tmp_path / "vectors.tsv", sep="\t", index=False)
    shared = {key: HEAD[key] for key in ("train", "batch_size", "learning_rate")}
    vectors = model_entry(
        architecture="features", augment=False, vectors={"file": "vectors.tsv"}, **shared
    )
    _, same, _ = features_and_predictions(tmp_path, vectors, "vectors", tmp_path / "vectors.tsv")
    np.testing.assert_allclose(same["probability"], predicted["probability"], atol=1e-4)
    assert predicted["probability"].nunique() > 20
    [record] = json.loads(outputs.runs.read_text("utf-8"))
    assert record["parameters"] > sum(values.size for values in weights.values())
    assert record["digests"]["weights"] == digest_file(tmp_path / "vit.onnx")
    # With a head of two neurons on eight features.
    layers = read_table(outputs.layers, ("kind", "multiply_adds"))
    assert layers["multiply_adds"].sum() == MULTIPLY_ADDS + 2 * 8


def test_mobilenet_as_an_onnx_file_learns_from_real_cells_what_it_learns_in_keras(
    tmp_path, test_data
):
    cells = [
        sorted((test_data / "cnmc2019_sample" / "fold_1" / name).glob("*"))[:30]
        for name in ("hem", "all")
    ]
    paths = [path for pair in zip(*cells, strict=True) for path in pair]
    images = np.stack([fit_image(decode_image(path), (96, 96), (300, 300)) for path in paths])
    write_job(tmp_path, images, np.arange(60) % 2)
    weights = test_data / "weights" / "mobilenet_v2_imagenet_notop.weights.h5"
    write_backbone("mobilenetv2", weights, (96, 96), tmp_path / "mobilenet.onnx")
    entry = model_entry(
        **{**HEAD, "architecture": "MobileNetV2"},
        **{"augment": False, "preprocessing": "imagenet", "weights": str(weights)},
    )
    twin = onnx_entry(tmp_path / "mobilenet.onnx", [96, 96])
    expected, wanted, keras_outputs = features_and_predictions(tmp_path, entry, "keras", weights)
    found, predicted, outputs = features_and_predictions(
        tmp_path, twin, "onnx", tmp_path / "mobilenet.onnx"
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(predicted["probability"], wanted["probability"], atol=1e-4)
    both = [
        read_table(place.layers, ("kind", "multiply_adds")) for place in (keras_outputs, outputs)
    ]
    assert both[0]["multiply_adds"].sum() == both[1]["multiply_adds"].sum() > 5e7
    # Of four numbers of a normalisation, the bias of a convolution is left.
    channels = both[0].query("kind == 'BatchNormalization'")["parameters"].sum() / 4
    difference = both[0]["parameters"].sum() - both[1]["parameters"].sum()
    assert difference == pytest.approx(3 * channels, abs=20)
