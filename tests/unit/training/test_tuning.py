"""Choice of settings in a fold: by validation images alone, resumable, recorded."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss
from support.interruptions import stop_after
from support.trainings import (
    RUN,
    blobs,
    head_outputs_in,
    job_files,
    job_settings,
    model_entry,
    run_job,
    write_job,
)

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names
from blastfold.core.names import METRICS
from blastfold.core.predictions import read_predictions
from blastfold.core.settings import ModelSettings
from blastfold.leakage.fitted_artefacts import read_fitted
from blastfold.statistics.metrics import metric_values
from blastfold.training import heads_job
from blastfold.training.files import network_files
from blastfold.training.state import InterruptedTrainingError
from blastfold.training.tuning import Trial, choose, meant_criterion, metric_of

FAST, SLOW = 0.5, 1e-9


def settings_of_vectors(**changes):
    """A head on given vectors, with all keys of an untuned model."""
    entry = model_entry(
        **{"architecture": "features", "train": "head", "augment": False, "epochs": 3},
        **{"vectors": {"file": "v.tsv"}, "batch_size": 10},
        **changes,
    )
    return ModelSettings.read(entry)


def write_vectors(folder, validation=1.0, tested=1.0):
    """Labels that one feature decides: as in training (1) or turned round (-1), by part."""
    images, labels = blobs()
    write_job(folder, images, labels)
    way = np.repeat([1.0, validation, tested], [30, 10, 20])
    random = np.random.default_rng(0)
    features = random.normal(0, 0.1, (1, 60, 4)).astype("float32")
    features[0, :, 0] += way * np.where(labels == 1, 1, -1)
    (folder / "features").mkdir(exist_ok=True)
    np.save(folder / "features" / "shared.npy", features)
    record = {
        "digest": f"{validation} {tested}",
        "parameters": 0,
        "device": "CPU",
        "multiply_adds": 0,
    }
    record |= {"precision": "float32", "runtime": "taken", "threads": 1, "images": 60}
    record |= {"seconds": 0.0, "images_per_second": 0.0}
    (folder / "features" / "shared.json").write_text(json.dumps(record))


def train(folder, settings, out="heads", states=None):
    outputs = head_outputs_in(folder / out)
    job = job_settings(states=states)
    heads_job.train_heads(job_files(folder), folder / "features", settings, job, RUN, outputs)
    [record] = json.loads(outputs.runs.read_text())
    return read_predictions(outputs.predictions), record


def loss_on_test(predictions):
    tested = predictions[predictions["role"] == "test"]
    return log_loss(tested["label"], tested["probability"])


RATES = {"tune": {"learning_rate": [FAST, SLOW]}}


def test_a_setting_that_is_best_on_test_and_worst_on_validation_is_not_chosen(tmp_path):
    # The rule of the training images is true of the test images and turned round in validation.
    write_vectors(tmp_path, validation=-1)
    predictions, record = train(tmp_path, settings_of_vectors(**RATES))
    [fast, slow] = record["tuning"]["configurations"]
    assert fast["validation_loss"] > slow["validation_loss"]
    assert record["tuning"]["chosen"] == 2
    assert record["settings"]["learning_rate"] == SLOW
    alone, _ = train(tmp_path, settings_of_vectors(learning_rate=FAST), out="fast")
    assert loss_on_test(alone) < 0.1 < loss_on_test(predictions)
    # Where validation is like test the same setting is chosen.
    write_vectors(tmp_path)
    agreeing, record = train(tmp_path, settings_of_vectors(**RATES), out="agreeing")
    assert record["tuning"]["chosen"] == 1
    assert loss_on_test(agreeing) < 0.1


def test_the_audit_of_what_is_fitted_reads_the_choice(tmp_path):
    write_vectors(tmp_path)
    train(tmp_path, settings_of_vectors(**RATES))
    found = read_fitted(tmp_path / "heads" / "runs.json")
    digests = {entry.get("artefact"): entry["fitted_on"] for entry in found}
    assert digests == {
        None: digest_names(f"cell {number}" for number in range(30)),
        "settings of model": digest_names(f"cell {number}" for number in range(30, 40)),
    }
    assert {entry["fold"] for entry in found} == {0}


def test_test_images_change_neither_the_choice_nor_what_it_is_made_by(tmp_path):
    write_vectors(tmp_path)
    _, one = train(tmp_path, settings_of_vectors(**RATES))
    write_vectors(tmp_path, tested=-1)
    _, two = train(tmp_path, settings_of_vectors(**RATES), out="other")

    def without_seconds(record):
        tried = record["tuning"]["configurations"]
        return [{key: row[key] for key in row if key != "seconds"} for row in tried]

    assert without_seconds(one) == without_seconds(two)


def test_a_stopped_choice_continues_and_ends_as_an_unbroken_one(tmp_path):
    write_vectors(tmp_path)
    settings = settings_of_vectors(**RATES)
    whole, record = train(tmp_path, settings)
    job = heads_job.HeadTraining(
        job_files(tmp_path),
        settings,
        job_settings(states=tmp_path / "states"),
        RUN,
        tmp_path / "features",
    )
    # Three batches per epoch and one of validation: the second configuration has begun.
    with pytest.raises(InterruptedTrainingError):
        job.train(0, tmp_path / "features", stop_after(16))
    assert len(list((tmp_path / "states").iterdir())) == 2
    again, resumed = train(tmp_path, settings, out="again", states=tmp_path / "states")
    pd.testing.assert_frame_equal(whole, again)
    assert not (tmp_path / "states").exists()
    losses = [
        [row["validation_loss"] for row in each["tuning"]["configurations"]]
        for each in (record, resumed)
    ]
    assert losses[0] == losses[1]
    # Every configuration has a seed of its own, and neither is that of the model without a choice.
    _, other = train(tmp_path, settings_of_vectors(learning_rate=FAST), out="alone")
    assert record["seed"] != other["seed"]


def test_a_network_is_tuned_as_a_head_is(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    tune = {"batch_size": [10, 15], "criterion": "primary_metric"}
    entry = model_entry(epochs=1, augment=False, tune=tune)
    outputs = run_job(tmp_path, "out", ModelSettings.read(entry))
    record = json.loads(outputs.run.read_text())
    tuning = record["tuning"]
    assert [row["settings"] for row in tuning["configurations"]] == [
        {"batch_size": 10},
        {"batch_size": 15},
    ]
    assert tuning["criterion"] == "auc"
    scores = [row["validation_score"] for row in tuning["configurations"]]
    assert tuning["chosen"] == 1 + scores.index(max(scores))
    assert record["settings"]["batch_size"] == [10, 15][tuning["chosen"] - 1]
    assert len(network_files([outputs.model])) == 1
    predicted = read_predictions(outputs.predictions)
    validated = predicted[predicted["role"] == "validation"]
    loss = tuning["configurations"][tuning["chosen"] - 1]["validation_loss"]
    assert log_loss(validated["label"], validated["probability"]) == pytest.approx(loss, abs=1e-5)


def test_a_fold_without_validation_images_is_named(tmp_path):
    write_vectors(tmp_path)
    folds = pd.read_csv(tmp_path / "folds.tsv", sep="\t")
    folds.replace({"validation": "train"}).to_csv(tmp_path / "folds.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=r"fold-0 .* has no validation images, by which"):
        train(tmp_path, settings_of_vectors(**RATES))


def trial(loss, score=None):
    return Trial(loss, score, {}, 0.0)


@pytest.mark.parametrize(
    ("trials", "criterion", "expected"),
    [
        ([trial(0.5), trial(0.4), trial(0.4)], "loss", ("loss", 1)),
        ([trial(float("nan")), trial(9.0)], "loss", ("loss", 1)),
        ([trial(float("nan")), trial(float("nan"))], "loss", ("loss", 0)),
        ([trial(0.1, 0.6), trial(0.9, 0.8), trial(0.2, 0.8)], "auc", ("auc", 1)),
        # One class among the validation images: no metric.
        ([trial(0.5), trial(0.4)], "auc", ("loss", 1)),
        ([trial(0.5, float("nan")), trial(0.9, 0.1)], "mcc", ("mcc", 1)),
    ],
)
def test_the_first_of_the_best_is_chosen(trials, criterion, expected):
    assert choose(trials, criterion) == expected


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_of_the_choice_are_those_of_the_evaluation(metric):
    random = np.random.default_rng(3)
    labels = np.arange(41) % 2
    probability = np.round(random.random(41), 1)
    found = probability >= 0.5
    cells = [(found == guess) & (labels == truth) for truth in (0, 1) for guess in (0, 1)]
    pairs = probability[labels == 1][:, None] - probability[labels == 0]
    ordered = (pairs > 0).sum() + (pairs == 0).sum() / 2
    totals = np.array([*(cell.sum() for cell in cells), ordered])
    expected = metric_values(metric, totals)
    both = np.column_stack([1 - probability, probability])
    assert metric_of(metric, labels, both) == pytest.approx(float(expected))


def test_a_choice_among_more_classes_is_by_metrics_of_all_of_them():
    random = np.random.default_rng(4)
    labels, probabilities = np.arange(42) % 3, random.dirichlet(np.ones(3), 42)
    areas = []
    for label in range(3):
        own, other = probabilities[labels == label, label], probabilities[labels != label, label]
        areas.append(np.mean(own[:, np.newaxis] > other))
    assert metric_of("macro_auc", labels, probabilities) == pytest.approx(np.mean(areas))
    recalls = [np.mean(probabilities[labels == k].argmax(axis=1) == k) for k in range(3)]
    assert metric_of("balanced_accuracy", labels, probabilities) == pytest.approx(np.mean(recalls))
    with pytest.raises(InputError, match="'sensitivity' is about one positive class"):
        metric_of("sensitivity", labels, probabilities)


@pytest.mark.parametrize(
    ("criterion", "classes", "expected"),
    [
        ("loss", 4, "loss"),
        ("auc", 2, "auc"),
        ("auc", 4, "macro_auc"),
        ("kappa", 2, "auc"),
        ("kappa", 4, "kappa"),
        ("accuracy", 2, "accuracy"),
    ],
)
def test_the_record_names_the_metric_that_was_meant(criterion, classes, expected):
    assert meant_criterion(criterion, classes) == expected
