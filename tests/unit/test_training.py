"""Training: what is learnt, what is recorded, and that nothing but training images teaches."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from blastfold import fold_training, inputs, models, preparation, training
from blastfold.config import check_config
from blastfold.errors import OutOfMemoryError
from blastfold.trainer import image_trainer

SIZE = 20
NOT_AUGMENTED = {
    "flip_up_down": False,
    "flip_left_right": False,
    "transpose": False,
    "brightness": 0,
    "contrast": 0,
    "saturation": 0,
    "hue": 0,
    "crop": 0,
}


def model_settings(**changes):
    config = {
        "datasets": {"cells": {"format": "folder"}},
        "protocols": {"holdout": {"kind": "holdout"}},
        "models": {"model": {"architecture": "simple_cnn", "epochs": 3, **changes}},
        "experiments": [{"datasets": ["cells"], "protocols": ["holdout"], "models": ["model"]}],
    }
    return check_config(config, "workflow/schemas/config.schema.yaml")["models"]["model"]


def blobs(count=60, seed=0, size=SIZE):
    """Blasts have a large dark nucleus, normal cells a small one."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    rows, columns = np.mgrid[:size, :size]
    images = np.empty((count, size, size, 3), dtype=np.uint8)
    for index, label in enumerate(labels):
        radius = size * (0.36 if label else 0.2)
        centre = size / 2 + random.uniform(-2, 2, 2)
        inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
        image = np.where(inside[..., None], [90, 60, 140], [230, 200, 210])
        images[index] = np.clip(image + random.normal(0, 8, image.shape), 0, 255)
    return images, labels


def parts_of(labels, train=30, validation=10):
    everything = np.arange(len(labels))
    cut = {
        "train": everything[:train],
        "validation": everything[train : train + validation],
        "test": everything[train + validation :],
    }
    return {role: inputs.Part(rows, labels[rows]) for role, rows in cut.items()}


def build_trainer(images, settings, seed=5):
    network = models.build_network(settings, images.shape[1:], seed, seed)
    mean_image = images.mean(axis=0).astype("float32")
    scaling = preparation.build_scaling(settings, network.application, mean_image)
    prepared = preparation.Preparation(images.shape[1:], scaling, None)
    source = inputs.ImageInputs(images, settings["augmentation"], seed)
    return image_trainer(network, prepared, source, settings, seed)


def without_test(parts):
    return {role: part for role, part in parts.items() if role != "test"}


def test_batches_have_one_size_and_reach_every_place():
    found = list(inputs.batches(np.arange(10, 33), 5))
    assert {len(batch) for batch in found} == {5}
    assert sorted(set(np.concatenate(found))) == list(range(10, 33))
    assert np.concatenate(found)[:23].tolist() == list(range(10, 33))
    assert [batch.tolist() for batch in inputs.batches(np.arange(3), 16)] == [[0, 1, 2]]


def test_class_weights_make_both_classes_count_the_same():
    labels = np.array([1] * 30 + [0] * 10)
    weights = inputs.class_weights(labels, balanced=True)
    assert weights[labels == 1].sum() == pytest.approx(weights[labels == 0].sum())
    assert weights.mean() == pytest.approx(1.0)
    assert (inputs.class_weights(labels, balanced=False) == 1).all()


def test_the_simple_cnn_learns_and_its_history_is_true():
    images, labels = blobs()
    parts = parts_of(labels)
    settings = model_settings(epochs=6, augmentation=NOT_AUGMENTED)
    trainer = build_trainer(images, settings)
    history = training.train(trainer, without_test(parts))
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    probability = trainer.predict(parts["validation"])
    truth = parts["validation"].labels
    last = history.iloc[-1]
    assert last["val_loss"] == pytest.approx(log_loss(truth, probability), abs=1e-5)
    assert last["val_accuracy"] == accuracy_score(truth, probability >= 0.5)
    assert last["val_f1"] == f1_score(truth, probability >= 0.5)
    tested = trainer.predict(parts["test"])
    assert accuracy_score(parts["test"].labels, tested >= 0.5) > 0.85


@pytest.mark.parametrize("architecture", ["simple_cnn", "MobileNetV2"])
def test_training_figures_are_those_of_the_batches(architecture):
    images, labels = blobs(size=32)
    settings = model_settings(
        architecture=architecture,
        train="all" if architecture == "simple_cnn" else "head",
        # Low enough that no probability reaches 0 or 1, where Keras' loss is cut and others' not.
        learning_rate=0.0003,
        class_weights=False,
        augmentation=NOT_AUGMENTED,
        batch_size=10,
    )
    trainer = build_trainer(images, settings)
    part = inputs.Part(np.arange(30), labels[:30])
    trainer.train_epoch(part, 1)
    # Without a learning rate the network stays as it is, and a pass measures it.
    trainer.trained.optimizer.learning_rate.assign(0.0)
    figures = trainer.train_epoch(part, 2)
    probability = trainer.predict(part)
    assert figures["loss"] == pytest.approx(log_loss(part.labels, probability), rel=1e-4, abs=1e-6)
    assert figures["accuracy"] == pytest.approx(accuracy_score(part.labels, probability >= 0.5))
    assert figures["f1"] == pytest.approx(
        f1_score(part.labels, probability >= 0.5, zero_division=0)
    )


def test_frozen_backbone_stays_as_it_was():
    images, labels = blobs(size=32)
    settings = model_settings(architecture="MobileNetV2", train="head")
    trainer = build_trainer(images, settings)
    frozen = next(layer for layer in trainer.predicting.layers if "network" in layer.name)
    before = [weight.copy() for weight in frozen.layers[1].get_weights()]
    training.train(trainer, without_test(parts_of(labels)))
    for old, new in zip(before, frozen.layers[1].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_test_images_are_refused():
    images, labels = blobs()
    trainer = build_trainer(images, model_settings())
    with pytest.raises(ValueError, match="parts holds test images"):
        training.train(trainer, parts_of(labels))


def test_early_stopping_keeps_the_best_epoch():
    images, labels = blobs()
    parts = parts_of(labels)
    # Validation labels turned round: the better the training, the worse the validation.
    turned = parts["validation"]._replace(labels=1 - parts["validation"].labels)
    seen = {"train": parts["train"], "validation": turned}
    settings = model_settings(epochs=12, early_stopping=2, augmentation=NOT_AUGMENTED)
    trainer = build_trainer(images, settings)
    history = training.train(trainer, seen)
    best = int(history["val_loss"].idxmin())
    assert len(history) == best + 3
    assert len(history) < 12
    probability = trainer.predict(turned)
    assert history["val_loss"].min() == pytest.approx(
        log_loss(turned.labels, probability), abs=1e-5
    )


def write_job(folder, images, labels, validation=10):
    np.save(folder / "images.npy", images)
    manifest = pd.DataFrame(
        {"image_id": [f"cell {number}" for number in range(len(labels))], "label": labels}
    )
    manifest.to_csv(folder / "manifest.tsv", sep="\t", index=False)
    roles = np.array(["train"] * len(labels), dtype=object)
    roles[30 : 30 + validation] = "validation"
    roles[40:] = "test"
    folds = manifest[["image_id"]].assign(fold=0, role=roles).sample(frac=1, random_state=0)
    folds.to_csv(folder / "folds.tsv", sep="\t", index=False)
    np.save(folder / "mean.npy", images[:30].mean(axis=0).astype("float32"))
    summary = {"images_sha256": "of images", "manifest_sha256": "of manifest"}
    (folder / "dataset.json").write_text(json.dumps(summary))


def run_job(folder, out, settings, deterministic=True):
    outputs = outputs_in(folder / out, "model", "history", "predictions", "layers", "run")
    fold_training.train_model(
        job_inputs(folder), fold=0, settings=settings, run=job_run(deterministic), outputs=outputs
    )
    return outputs


def outputs_in(folder, *names):
    files = {"model": "model.keras", "run": "run.json", "head": "head.weights.h5"}
    return {name: folder / files.get(name, f"{name}.tsv") for name in names}


def job_inputs(folder, **changes):
    files = {"images": "images.npy", "mean_image": "mean.npy", "dataset": "dataset.json"}
    files |= {name: f"{name}.tsv" for name in ("manifest", "folds")}
    return (
        {name: folder / file for name, file in files.items()}
        | {"weights": None, "stain": None}
        | changes
    )


def job_run(deterministic=True, **changes):
    run = {
        "seed": 7,
        "names": ["cells", "holdout", "model"],
        "drawn_for": "cells",
        "device": "cpu",
        "precision": "auto",
        "xla": "auto",
        "deterministic": deterministic,
        "threads": 2,
        "gpu": 0,
        "code": "1",
    }
    return run | changes


def test_a_job_writes_all_that_is_to_be_known(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    outputs = run_job(tmp_path, "one", model_settings())
    predictions = pd.read_csv(outputs["predictions"], sep="\t")
    assert predictions["role"].value_counts().to_dict() == {"test": 20, "validation": 10}
    manifest = pd.read_csv(tmp_path / "manifest.tsv", sep="\t").set_index("image_id")["label"]
    assert (predictions["label"] == manifest[predictions["image_id"]].to_numpy()).all()
    record = json.loads(outputs["run"].read_text())
    assert record["device"] == "CPU"
    assert record["images"] == {"train": 30, "validation": 10, "test": 20}
    assert record["digests"]["images"] == "of images"
    assert record["peak_memory_mb"] > 100
    assert pd.read_csv(outputs["history"], sep="\t")["epoch"].tolist() == [1, 2, 3]
    # The saved model takes stored images and gives the very predictions of the table.
    model = keras.saving.load_model(outputs["model"])
    tested = predictions[predictions["role"] == "test"]
    rows = tested["image_id"].str.split().str[1].astype(int)
    probability = model.predict(images[rows], verbose=0)[:, -1]
    np.testing.assert_allclose(probability, tested["probability"], atol=1e-6)


def test_deterministic_jobs_are_bit_equal(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    settings = model_settings()
    one, two = (run_job(tmp_path, name, settings) for name in ("one", "two"))
    assert one["predictions"].read_bytes() == two["predictions"].read_bytes()
    assert one["layers"].read_bytes() == two["layers"].read_bytes()


def test_test_images_teach_nothing(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    settings = model_settings(epochs=2)
    one = run_job(tmp_path, "one", settings)
    changed = images.copy()
    changed[40:] = 255 - changed[40:]
    np.save(tmp_path / "images.npy", changed)
    two = run_job(tmp_path, "two", settings)
    weights = [keras.saving.load_model(job["model"]).get_weights() for job in (one, two)]
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_fold_without_validation_part_trains(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels, validation=0)
    outputs = run_job(tmp_path, "one", model_settings(epochs=1, early_stopping=None))
    history = pd.read_csv(outputs["history"], sep="\t")
    assert history["val_loss"].isna().all()
    assert set(pd.read_csv(outputs["predictions"], sep="\t")["role"]) == {"test"}


def test_a_batch_in_pieces_teaches_what_the_whole_batch_does():
    images, labels = blobs()
    part = inputs.Part(np.arange(40), labels[:40])
    settings = model_settings(batch_size=8, learning_rate=0.0005)
    probabilities = []
    for pieces in (1, 2, 4):
        trainer = build_trainer(images, settings)
        trainer.pieces = pieces
        figures = [trainer.train_epoch(part, epoch) for epoch in (1, 2)]
        assert figures[1]["loss"] < figures[0]["loss"]
        probabilities.append(trainer.predict(part))
    np.testing.assert_allclose(probabilities[1], probabilities[0], atol=1e-4)
    np.testing.assert_allclose(probabilities[2], probabilities[0], atol=1e-4)


def test_images_on_the_device_teach_the_same():
    images, labels = blobs()
    part = inputs.Part(np.arange(40), labels[:40])
    probabilities = []
    for free in (None, 2**30):
        trainer = build_trainer(images, model_settings())
        assert trainer.inputs.keep_on_device(free) == (free is not None)
        trainer.train_epoch(part, 1)
        probabilities.append(trainer.predict(part))
    np.testing.assert_array_equal(probabilities[0], probabilities[1])
    assert not inputs.ImageInputs(images, NOT_AUGMENTED, 0).keep_on_device(images.nbytes)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the error is TensorFlow's")
def test_a_full_memory_is_met_with_smaller_pieces_or_with_advice():
    import tensorflow as tf

    images, labels = blobs()
    part = inputs.Part(np.arange(40), labels[:40])

    def build(settings):
        def with_pieces(pieces):
            trainer = build_trainer(images, settings)
            trainer.pieces = pieces
            return trainer

        return with_pieces

    def work(trainer):
        # More than any machine has, until a batch is in four pieces.
        tf.zeros((2**50 if trainer.pieces < 4 else 2,)) + 1.0
        return trainer.train_epoch(part, 1)

    settings = model_settings(batch_size=8)
    trainer, figures = fold_training.within_memory(build(settings), work, settings, 8)
    assert trainer.pieces == 4
    assert figures["loss"] > 0
    with pytest.raises(OutOfMemoryError, match=r"for 3 images at once\. Set a smaller batch_size"):
        fold_training.within_memory(build(settings), work, settings, 6)
    stopping = model_settings(when_out_of_memory="stop")
    with pytest.raises(OutOfMemoryError, match=r"for 8 images at once.*accumulate"):
        fold_training.within_memory(build(stopping), work, stopping, 8)
    with pytest.raises(ZeroDivisionError):
        fold_training.within_memory(build(settings), lambda trainer: 1 / 0, settings, 8)
