"""Training: what is learnt, what is recorded, and that nothing but training images teaches."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss
from support.interruptions import stop_after
from support.trainings import (
    CLASSES,
    NOT_AUGMENTED,
    RUN,
    add_turned_fold,
    blobs,
    build_trainer,
    job_files,
    job_settings,
    model_settings,
    network_outputs_in,
    parts_of,
    run_job,
    without_test,
    write_job,
)

from blastfold.core import fold_table
from blastfold.core.errors import OutOfMemoryError
from blastfold.core.predictions import predicted_classes, read_predictions
from blastfold.core.settings import AugmentationSettings
from blastfold.networks.unfreezing import Stage
from blastfold.training import batches, epochs, fold_job, start
from blastfold.training.external_application import predict_with
from blastfold.training.files import network_files
from blastfold.training.memory import within_memory
from blastfold.training.state import InterruptedTrainingError


def test_batches_have_one_size_and_reach_every_place():
    found = list(batches.batches(np.arange(10, 33), 5))
    assert {len(batch) for batch in found} == {5}
    assert sorted(set(np.concatenate(found))) == list(range(10, 33))
    assert np.concatenate(found)[:23].tolist() == list(range(10, 33))
    assert [batch.tolist() for batch in batches.batches(np.arange(3), 16)] == [[0, 1, 2]]


def test_class_weights_make_both_classes_count_the_same():
    labels = np.array([1] * 30 + [0] * 10)
    weights = batches.class_weights(labels, balanced=True)
    assert weights[labels == 1].sum() == pytest.approx(weights[labels == 0].sum())
    assert weights.mean() == pytest.approx(1.0)
    assert (batches.class_weights(labels, balanced=False) == 1).all()
    # A class that does not occur, as permuted labels may lack one, weighs nothing.
    labels = np.array([3] * 6 + [0] * 3 + [1] * 9)
    weights = batches.class_weights(labels, balanced=True)
    assert [weights[labels == label].sum() for label in (0, 1, 3)] == pytest.approx([6] * 3)


def test_the_simple_cnn_learns_and_its_history_is_true():
    images, labels = blobs()
    parts = parts_of(labels)
    settings = model_settings(epochs=6, augmentation=NOT_AUGMENTED)
    trainer = build_trainer(images, settings)
    history = epochs.train(trainer, without_test(parts))
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    probability = trainer.predict(parts["validation"])[:, -1]
    truth = parts["validation"].labels
    last = history.iloc[-1]
    assert last["val_loss"] == pytest.approx(log_loss(truth, probability), abs=1e-5)
    assert last["val_accuracy"] == accuracy_score(truth, probability >= 0.5)
    assert last["val_f1"] == f1_score(truth, probability >= 0.5)
    tested = trainer.predict(parts["test"])[:, -1]
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
    part = fold_table.Part(np.arange(30), labels[:30])
    trainer.train_epoch(part, 1)
    # Without a learning rate the network stays as it is, and a pass measures it.
    trainer.trained.optimizer.learning_rate.assign(0.0)
    figures = trainer.train_epoch(part, 2)
    probability = trainer.predict(part)[:, -1]
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
    epochs.train(trainer, without_test(parts_of(labels)))
    for old, new in zip(before, frozen.layers[1].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_trained_backbone_has_a_draw_of_its_own_in_every_training(tmp_path):
    images, labels = blobs(size=32)
    write_job(tmp_path, images, labels)
    files = job_files(tmp_path)
    settings = model_settings()

    def first_weights(settings, fold_seed):
        network, _ = start.start_network(settings, files, 7, 0, fold_seed)
        return network.backbone.get_weights()[0]

    assert not np.array_equal(first_weights(settings, 1), first_weights(settings, 2))
    np.testing.assert_array_equal(first_weights(settings, 1), first_weights(settings, 1))
    # Heads on one frozen backbone share its features.
    frozen = model_settings(train="head")
    np.testing.assert_array_equal(first_weights(frozen, 1), first_weights(frozen, 2))


def test_test_images_are_refused():
    images, labels = blobs()
    trainer = build_trainer(images, model_settings())
    with pytest.raises(ValueError, match="parts holds test images"):
        epochs.train(trainer, parts_of(labels))


def test_early_stopping_keeps_the_best_epoch():
    images, labels = blobs()
    parts = parts_of(labels)
    # Validation labels turned round: the better the training, the worse the validation.
    turned = parts["validation"]._replace(labels=1 - parts["validation"].labels)
    seen = {"train": parts["train"], "validation": turned}
    settings = model_settings(epochs=12, early_stopping=2, augmentation=NOT_AUGMENTED)
    trainer = build_trainer(images, settings)
    history = epochs.train(trainer, seen)
    best = int(history["val_loss"].idxmin())
    assert len(history) == best + 3
    assert len(history) < 12
    probability = trainer.predict(turned)[:, -1]
    assert history["val_loss"].min() == pytest.approx(
        log_loss(turned.labels, probability), abs=1e-5
    )


def test_a_plateau_of_the_head_does_not_end_a_staged_training():
    images, labels = blobs()
    parts = parts_of(labels)
    turned = parts["validation"]._replace(labels=1 - parts["validation"].labels)
    seen = {"train": parts["train"], "validation": turned}
    staged = {"train": "staged", "stages": 2, "epochs": 10, "early_stopping": 2}
    trainer = build_trainer(images, model_settings(augmentation=NOT_AUGMENTED, **staged))
    history = epochs.train(trainer, seen)
    last = history[history["epoch"] > 5]
    assert len(last) >= 3
    best = int(last.set_index("epoch")["val_loss"].idxmin())
    assert len(history) in (10, best + 2)
    described = epochs.describe_stages(history, trainer.stages)
    assert [stage["first_epoch"] for stage in described] == [1, 6]
    assert [stage["epochs"] for stage in described] == [5, len(last)]
    assert described[1]["best_epoch"] == best


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([3, 2, 1, 2], None),
        ([1, 2, 3, 4, 5, 6], 5),
        ([1, 2, 3, 4, 6, 5, 5], 6),
        ([1, 2, 3, 4, np.nan, 1], 5),
        ([1, 2, 3, 4, 5, np.nan], 5),
    ],
)
def test_early_stopping_is_counted_from_the_last_stage(losses, expected):
    stages = [Stage(1, 4, 0.0, 1e-3), Stage(5, 8, 1.0, 1e-4)]
    history = [{"epoch": epoch, "val_loss": loss} for epoch, loss in enumerate(losses, 1)]
    assert epochs.best_of_last_stage(history, stages) == expected


def test_a_job_writes_all_that_is_to_be_known(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    outputs = run_job(tmp_path, "one", model_settings())
    predictions = pd.read_csv(outputs.predictions, sep="\t")
    assert predictions["role"].value_counts().to_dict() == {"test": 20, "validation": 10}
    manifest = pd.read_csv(tmp_path / "manifest.tsv", sep="\t").set_index("image_id")["label"]
    assert (predictions["label"] == manifest[predictions["image_id"]].to_numpy()).all()
    record = json.loads(outputs.run.read_text())
    assert record["device"] == "CPU"
    assert (record["job"], record["repeat"], record["fold"]) == ("train_model", 0, 0)
    assert record["threads"] == 2
    assert record["images"] == {"train": 30, "validation": 10, "test": 20}
    assert record["digests"]["images"] == "of images"
    assert record["peak_memory_mb"] > 100
    assert (record["epochs"], record["kept_epoch"], record["stopped_early"]) == (3, 3, False)
    assert [stage["epochs"] for stage in record["stages"]] == [3]
    assert pd.read_csv(outputs.history, sep="\t")["epoch"].tolist() == [1, 2, 3]
    # The saved model takes stored images and gives the very predictions of the table.
    model = keras.saving.load_model(outputs.model)
    tested = predictions[predictions["role"] == "test"]
    rows = tested["image_id"].str.split().str[1].astype(int)
    probability = model.predict(images[rows], verbose=0)[:, -1]
    np.testing.assert_allclose(probability, tested["probability_blast"], atol=1e-6)


@pytest.mark.parametrize("views", [2, 8])
def test_predictions_are_means_over_views_inside_and_outside(tmp_path, views):
    """The oracle turns the images in NumPy and subtracts the mean image itself."""
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    settings = model_settings(epochs=1, test_time_views=views, learning_rate=1e-4)
    job = run_job(tmp_path, "job", settings)
    model = keras.saving.load_model(job.model, compile=False)
    flipped = [images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1]]
    turned = [np.swapaxes(view, 1, 2) for view in flipped]
    # The transpositions of the flips are the same four images as the flips of the transposition.
    chosen = (flipped + turned)[:views]
    mean_image = np.load(tmp_path / "mean.npy")[0]
    network = model.get_layer("network")
    each = [network.predict(view - mean_image, verbose=0)[:, 0] for view in chosen]
    assert np.ptp(each, axis=0).max() > 0.01
    expected = np.mean(each, axis=0)
    # An external test predicts with the stored network.
    np.testing.assert_allclose(predict_with(job.model, images)[:, 1], expected, atol=1e-4)
    found = read_predictions(job.predictions)
    rows = found["image_id"].str.split().str[1].astype(int)
    np.testing.assert_allclose(found["probability_blast"], expected[rows], atol=1e-4)


def test_deterministic_jobs_are_bit_equal(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    settings = model_settings()
    one, two = (run_job(tmp_path, name, settings) for name in ("one", "two"))
    assert one.predictions.read_bytes() == two.predictions.read_bytes()
    assert one.layers.read_bytes() == two.layers.read_bytes()


@pytest.mark.parametrize(
    ("classes", "changes"),
    [
        (CLASSES, {"early_stopping": 1, "class_weights": True}),
        (CLASSES, {"train": "staged", "stages": 2, "epochs": 4, "schedule": "one_cycle"}),
        (("large", "small", "middle"), {"early_stopping": 1, "class_weights": True}),
    ],
)
def test_folds_in_one_job_are_those_of_single_jobs(tmp_path, classes, changes):
    images, labels = blobs(classes=len(classes))
    write_job(tmp_path, images, labels, classes=classes)
    add_turned_fold(tmp_path)
    settings = model_settings(**changes)
    compute = job_settings(states=tmp_path / "states")
    # The job is stopped in its second fold and starts again.
    job = fold_job.ImageTraining(job_files(tmp_path), settings, compute, RUN)
    job.train(0, lambda: False)
    with pytest.raises(InterruptedTrainingError):
        job.train(1, stop_after(3))
    outputs = network_outputs_in(tmp_path / "all")
    fold_job.train_folds(job_files(tmp_path), settings, compute, RUN, outputs)
    alone = [run_job(tmp_path, f"fold-{number}", settings, number=number) for number in (0, 1)]
    for kind in ("predictions", "history"):
        together = pd.read_csv(getattr(outputs, kind), sep="\t").drop(
            columns="seconds", errors="ignore"
        )
        single = pd.concat([pd.read_csv(getattr(job, kind), sep="\t") for job in alone])
        single = single.drop(columns="seconds", errors="ignore").reset_index(drop=True)
        pd.testing.assert_frame_equal(together, single, check_exact=True)
    assert outputs.layers.read_bytes() == alone[0].layers.read_bytes()
    predicted = read_predictions(outputs.predictions)
    assert predicted_classes(predicted) == classes
    networks = network_files([outputs.networks])
    assert [path.name for path in networks] == ["fold-0.keras", "fold-1.keras"]
    for path, job in zip(networks, alone, strict=True):
        stored = [keras.saving.load_model(file).get_weights() for file in (path, job.model)]
        for first, second in zip(*stored, strict=True):
            np.testing.assert_array_equal(first, second)
    runs, records = (
        json.loads(outputs.runs.read_text()),
        [json.loads(job.run.read_text()) for job in alone],
    )
    assert [(run["job"], run["fold"]) for run in runs] == [("train_folds", 0), ("train_folds", 1)]
    for name in ("seed", "digests", "images", "epochs", "stages", "trained_on"):
        assert [run[name] for run in runs] == [record[name] for record in records]
    assert not (tmp_path / "states").exists()


def test_test_images_teach_nothing(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    settings = model_settings(epochs=2)
    one = run_job(tmp_path, "one", settings)
    changed = images.copy()
    changed[40:] = 255 - changed[40:]
    np.save(tmp_path / "images.npy", changed)
    two = run_job(tmp_path, "two", settings)
    weights = [keras.saving.load_model(job.model).get_weights() for job in (one, two)]
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_fold_without_validation_part_trains(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels, validation=0)
    outputs = run_job(tmp_path, "one", model_settings(epochs=1, early_stopping=None))
    history = pd.read_csv(outputs.history, sep="\t")
    assert history["val_loss"].isna().all()
    assert set(pd.read_csv(outputs.predictions, sep="\t")["role"]) == {"test"}


def test_a_batch_in_pieces_teaches_what_the_whole_batch_does():
    images, labels = blobs()
    part = fold_table.Part(np.arange(40), labels[:40])
    settings = model_settings(batch_size=8, learning_rate=0.0005)
    probabilities = []
    # Every number of pieces is compiled of its own, which takes JAX 10 s.
    for pieces in (1, 2, 4) if keras.backend.backend() == "tensorflow" else (1, 4):
        trainer = build_trainer(images, settings)
        trainer.pieces = pieces
        figures = [trainer.train_epoch(part, epoch) for epoch in (1, 2)]
        assert figures[1]["loss"] < figures[0]["loss"]
        probabilities.append(trainer.predict(part))
    for found in probabilities[1:]:
        np.testing.assert_allclose(found, probabilities[0], atol=1e-4)


def test_images_on_the_device_teach_the_same():
    images, labels = blobs()
    part = fold_table.Part(np.arange(40), labels[:40])
    probabilities = []
    for free in (None, 2**30):
        trainer = build_trainer(images, model_settings())
        assert trainer.inputs.keep_on_device(free) == (free is not None)
        trainer.train_epoch(part, 1)
        probabilities.append(trainer.predict(part))
    np.testing.assert_array_equal(probabilities[0], probabilities[1])
    assert not batches.ImageInputs(
        images, AugmentationSettings.read(NOT_AUGMENTED), 0
    ).keep_on_device(images.nbytes)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the error is TensorFlow's")
def test_a_full_memory_is_met_with_smaller_pieces_or_with_advice():
    import tensorflow as tf

    images, labels = blobs()
    part = fold_table.Part(np.arange(40), labels[:40])

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
    trainer, figures = within_memory(build(settings), work, "accumulate", 8)
    assert trainer.pieces == 4
    assert figures["loss"] > 0
    with pytest.raises(OutOfMemoryError, match=r"for 3 images at once\. Set a smaller batch_size"):
        within_memory(build(settings), work, "accumulate", 6)
    with pytest.raises(OutOfMemoryError, match=r"for 8 images at once.*accumulate"):
        within_memory(build(settings), work, "stop", 8)
    with pytest.raises(ZeroDivisionError):
        within_memory(build(settings), lambda trainer: 1 / 0, "accumulate", 8)
