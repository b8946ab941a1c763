"""Features extracted once teach heads what training through the frozen backbone does."""

import keras
import numpy as np
import pandas as pd
import pytest
from support.interruptions import stop_after
from support.trainings import (
    blobs,
    job_inputs,
    job_run,
    model_settings,
    outputs_in,
    run_job,
    write_job,
)

from blastfold.experiment.feature_sets import depends_on_fold, feature_set_name, feature_sets
from blastfold.networks import architectures, preprocessing
from blastfold.networks.augmentation import augment, draw_augmentations
from blastfold.training import backbone_runtime, batches, features, heads_job
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


def extract(folder, settings, shared=True, out="features", **changes):
    folds = None if shared else folder / "folds.tsv"
    outputs = [{"features": folder / f"{out}.npy", "record": folder / f"{out}.json"}]
    features.extract_features(
        job_inputs(folder, folds=folds),
        fitted={
            "mean_images": [folder / "mean.npy"] * depends_on_fold(settings),
            "stains": [],
        },
        settings=settings,
        run=job_run(states=folder / "states", **changes),
        outputs=outputs,
    )
    return np.load(outputs[0]["features"])


def train_heads(folder, settings, out):
    outputs = outputs_in(folder / out, "head", "history", "predictions", "layers", "run")
    heads_job.train_heads(
        job_inputs(folder),
        [folder / "features.npy"],
        [folder / "features.json"],
        settings,
        job_run(states=folder / "states"),
        [outputs],
    )
    return outputs


@pytest.mark.parametrize(
    "changes",
    [
        {"preprocessing": "imagenet"},
        {"preprocessing": "mean_image"},
        {"preprocessing": "none", "dense_units": [16], "dropout": 0.5, "learning_rate": 1e-4},
        {"preprocessing": "imagenet", "augment": False, "schedule": "one_cycle"},
    ],
)
def test_heads_on_features_predict_what_the_plain_online_path_predicts(tmp_path, changes):
    images, labels = blobs(size=32)
    write_job(tmp_path, images, labels)
    settings = model_settings(**HEAD | changes)
    extract(tmp_path, settings, shared=not depends_on_fold(settings))
    stored = train_heads(tmp_path, settings, "stored")
    online = run_job(tmp_path, "online", settings)
    one, two = (pd.read_csv(job["predictions"], sep="\t") for job in (stored, online))
    assert one["image_id"].tolist() == two["image_id"].tolist()
    np.testing.assert_allclose(one["probability"], two["probability"], atol=1e-4)
    assert one["probability"].std() > 0.001
    # The assembled model takes stored images and predicts the same.
    heads_job.assemble_model(
        job_inputs(tmp_path, head=stored["head"]),
        0,
        settings,
        job_run(),
        tmp_path / "model.keras",
    )
    model = keras.saving.load_model(tmp_path / "model.keras")
    tested = one[one["role"] == "test"]
    rows = tested["image_id"].str.split().str[1].astype(int)
    probability = model.predict(images[rows], verbose=0)[:, -1]
    np.testing.assert_allclose(probability, tested["probability"], atol=1e-4)
    assert not (tmp_path / "states").exists() or not list((tmp_path / "states").iterdir())


def test_views_hold_the_features_of_the_changed_images(tmp_path):
    images, labels = blobs(size=32)
    write_job(tmp_path, images, labels)
    settings = model_settings(**HEAD, preprocessing="imagenet", epochs=2)
    views = extract(tmp_path, settings)
    assert views.shape == (3, 60, 512)
    seed = features.augmentation_seed(7, "cells")
    backbone, _ = architectures.build_backbone(
        settings, (32, 32, 3), features.backbone_seed(7, "VGG16")
    )
    for view in range(3):
        changed = images.astype("float32")
        if view:
            draws = draw_augmentations(60, settings["augmentation"], seed, view)
            changed = np.array(augment(changed, draws))
        scaled = keras.applications.vgg16.preprocess_input(changed)
        expected = backbone.predict(scaled, verbose=0)
        np.testing.assert_allclose(views[view], expected, atol=1e-4 * np.abs(expected).max())


def test_features_of_a_fold_hold_changed_views_of_its_training_images_alone(tmp_path):
    images, labels = blobs(size=32)
    write_job(tmp_path, images, labels)
    views = extract(tmp_path, model_settings(**HEAD, epochs=2), shared=False)
    # Rows 0 to 29 train, 30 to 39 validate, the others test.
    assert not views[1:, 30:].any()
    assert views[1:, :30].any(axis=2).all()
    assert views[0, 30:].any(axis=1).all()


def test_heads_of_several_folds_are_those_of_single_jobs(tmp_path):
    images, labels = blobs(size=32)
    write_job(tmp_path, images, labels)
    folds = pd.read_csv(tmp_path / "folds.tsv", sep="\t")
    turned = folds.assign(fold=1, role=folds["role"].replace({"test": "train", "train": "test"}))
    pd.concat([folds, turned]).to_csv(tmp_path / "folds.tsv", sep="\t", index=False)
    settings = model_settings(
        **HEAD | {"preprocessing": "none", "dense_units": [8], "dropout": 0.3}
    )
    extract(tmp_path, settings)
    together = [outputs_in(tmp_path / f"both-{fold}", *FILES) for fold in (0, 1)]
    shared = [tmp_path / "features.npy"], [tmp_path / "features.json"]
    arguments = (job_inputs(tmp_path), *shared, settings, job_run())
    heads_job.train_heads(*arguments, together)
    job = heads_job.HeadTraining(job_inputs(tmp_path), settings, job_run())
    alone = outputs_in(tmp_path / "alone", *FILES)
    job.train_fold(1, shared[0][0], shared[1][0], alone, lambda: False)
    assert alone["predictions"].read_bytes() == together[1]["predictions"].read_bytes()
    assert together[0]["predictions"].read_bytes() != together[1]["predictions"].read_bytes()


FILES = ("head", "history", "predictions", "layers", "run")


def test_an_interrupted_extraction_goes_on_and_ends_the_same(tmp_path):
    images, _ = blobs(count=150, size=32)
    settings = model_settings(**HEAD, preprocessing="imagenet", epochs=2)
    backbone, application = architectures.build_backbone(settings, (32, 32, 3), 3)
    scaling = preprocessing.build_scaling(settings, application, np.zeros((32, 32, 3)))
    prepared = preprocessing.Preparation((32, 32, 3), scaling, None)
    source = batches.ImageInputs(images, settings["augmentation"], 3)
    runtime = backbone_runtime.Runtime("Keras", backbone.predict_on_batch)
    rows = [np.arange(150)] * 3

    def run(folder, stop):
        work = features.FeatureFile(folder, (3, 150, 512))
        begun = work.done
        features.Extraction(backbone, prepared, source, rows, stop).run(runtime, work)
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
    base = model_settings(**HEAD, preprocessing="imagenet")
    changes = {"learning_rate": 0.5, "preprocessing": "imagenet", "dropout": 0.5, "epochs": 9}
    same = model_settings(**HEAD | changes)
    other = model_settings(**HEAD, preprocessing="imagenet", augment=False)
    assert feature_set_name(base) == feature_set_name(same) != feature_set_name(other)
    sets = feature_sets([base, same])
    assert [entry["epochs"] for entry in sets.values()] == [9]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Keras alone runs elsewhere")
@pytest.mark.parametrize("architecture", ["MobileNetV2", "VGG16"])
def test_all_runtimes_agree_with_keras(architecture):
    settings = model_settings(architecture=architecture, train="head")
    backbone, _ = architectures.build_backbone(settings, (32, 32, 3), 1)
    random = np.random.default_rng(0)
    # Weights as of a trained network: batch normalisation is to be folded, not to be an identity.
    for variable in backbone.variables:
        spread = random.uniform(0.5, 1.5, variable.shape).astype("float32")
        variable.assign(variable + 0.1 * spread if "moving" in variable.path else variable * spread)
    batch = random.uniform(-1, 1, (8, 32, 32, 3)).astype("float32")
    expected = backbone.predict_on_batch(batch)
    tolerance = 1e-5 * np.abs(expected).max()
    others = [
        backbone_runtime.constant_weights(backbone),
        backbone_runtime.onnx_runtime(backbone, 2),
    ]
    counts = (backbone_runtime.WORTH_CONSTANTS, backbone_runtime.WORTH_AN_EXPORT)
    chosen = [backbone_runtime.choose_runtime(backbone, batch, count, 2) for count in counts]
    for runtime in [*others, *chosen]:
        np.testing.assert_allclose(runtime.run(batch), expected, atol=tolerance)
    assert chosen[0].name == "TensorFlow with constant weights"
    few = backbone_runtime.choose_runtime(backbone, batch, backbone_runtime.WORTH_CONSTANTS - 1, 2)
    assert few.name == "Keras"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Keras alone runs elsewhere")
def test_a_runtime_that_differs_is_not_taken(monkeypatch):
    settings = model_settings(architecture="MobileNetV2", train="head")
    backbone, _ = architectures.build_backbone(settings, (32, 32, 3), 1)
    batch = np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype("float32")
    monkeypatch.setattr(backbone_runtime, "TOLERANCE", -1.0)
    chosen = backbone_runtime.choose_runtime(backbone, batch, backbone_runtime.WORTH_AN_EXPORT, 2)
    assert chosen.name == "Keras"


def test_features_that_do_not_fit_on_the_disk_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(Exception, match="features: online"):
        features.FeatureFile(tmp_path / "digest", (1000, 10**9, 1280))
