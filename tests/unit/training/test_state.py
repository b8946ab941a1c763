"""A killed training continues where it stopped and ends with the same result."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from support.interruptions import stop_after
from support.repository import REPOSITORY, SCRIPTS
from support.trainings import (
    RUN,
    blobs,
    build_trainer,
    job_files,
    job_settings,
    model_settings,
    parts_of,
    without_test,
    write_job,
)

from blastfold.core.settings import JOB_KEYS
from blastfold.training import epochs, fold_job
from blastfold.training.device_setup import Setup
from blastfold.training.fold import read_fold
from blastfold.training.state import (
    InterruptedTrainingError,
    TrainingProgress,
    TrainingState,
    state_of,
)

JOB = """
import json, logging, sys
from pathlib import Path
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
from blastfold.core.settings import ModelSettings
from blastfold.training.fold_job import train_model
from support.trainings import RUN, job_files, job_settings, outputs_in
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
compute = job_settings(threads=1, states=str(folder / "states" / out.name))
settings = ModelSettings.read(json.loads(sys.argv[3]))
train_model(job_files(folder), 0, settings, compute, RUN, outputs_in(out))
"""


def start_job(folder, out, settings):
    command = [sys.executable, "-u", "-c", JOB, str(folder), str(folder / out)]
    return subprocess.Popen(
        [*command, json.dumps(settings.plain())],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(SCRIPTS), str(REPOSITORY / "tests")]),
            "TF_CPP_MIN_LOG_LEVEL": "2",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(job, text):
    """Read what a job prints up to a line that holds a text; returns all lines."""
    lines = []
    for line in job.stdout:
        lines.append(line)
        if text in line:
            break
    return lines


def metrics_of(history):
    return history.drop(columns="seconds").to_numpy(dtype=float)


@pytest.mark.parametrize(
    ("changes", "calls"),
    [
        ({"epochs": 3}, (0, 1, 2, 3)),
        ({"epochs": 4, "early_stopping": 1}, (1, 5)),
        ({"epochs": 3, "architecture": "MobileNetV2", "train": "head"}, (1, 4, 3)),
        ({"epochs": 4, "train": "staged", "stages": 2, "schedule": "one_cycle"}, (1, 3, 3)),
    ],
)
def test_training_stopped_between_any_two_batches_ends_the_same(tmp_path, changes, calls):
    images, labels = blobs(size=32)
    settings = model_settings(batch_size=10, **changes)
    parts = parts_of(labels)
    plain = build_trainer(images, settings)
    expected = epochs.train(plain, without_test(parts))
    state = TrainingState(tmp_path / "digest")
    for number in calls:
        trainer = build_trainer(images, settings, seed=5)
        trainer.stop = stop_after(number)
        with pytest.raises(InterruptedTrainingError):
            epochs.train(trainer, without_test(parts), state)
    trainer = build_trainer(images, settings)
    history = epochs.train(trainer, without_test(parts), state)
    np.testing.assert_allclose(metrics_of(history), metrics_of(expected), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        trainer.predict(parts["test"]), plain.predict(parts["test"]), atol=1e-5
    )


def test_state_holds_the_optimiser_and_random_streams(tmp_path):
    def network():
        keras.utils.set_random_seed(3)
        layers = [keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        model.compile("adam", "mse")
        return model

    random = np.random.default_rng(0)
    inputs, targets = random.normal(size=(8, 4)), random.normal(size=8)
    one, two = network(), network()
    for _ in range(3):
        one.train_on_batch(inputs, targets)
    progress = TrainingProgress([{"epoch": 1}], 0.25, 1, 2, {"loss": 0.1})
    state = TrainingState(tmp_path / "digest")
    assert state.save(one, progress, [np.ones(2)])
    stored = state.read()
    assert stored.assign_to(two)
    assert stored.progress == progress
    np.testing.assert_array_equal(stored.best_weights[0], np.ones(2))
    assert float(one.train_on_batch(inputs, targets)) == float(two.train_on_batch(inputs, targets))
    state.remove()
    assert not (tmp_path / "digest").exists()
    assert state.read() is None


def compiled(images):
    trainer = build_trainer(images, model_settings())
    trainer.enter_stage(1, 30)
    return trainer.trained


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other network"])
def test_a_damaged_state_is_not_used(tmp_path, damage):
    images, _ = blobs()
    trained = compiled(images)
    state = TrainingState(tmp_path)
    state.save(trained, TrainingProgress([], None, 0, 1, {}))
    content = state.path.read_bytes()
    if damage == "other network":
        state.save(compiled(blobs(size=32)[0]), TrainingProgress([], None, 0, 1, {}))
    else:
        wrong = {"cut": content[: len(content) // 2], "empty": b"", "text": b"not a state"}
        state.path.write_bytes(wrong[damage])
    before = [weight.copy() for weight in trained.get_weights()]
    stored = state.read()
    assert (stored is None) != (damage == "other network")
    assert stored is None or not stored.assign_to(trained)
    for old, new in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_costs_the_new_state_and_not_the_old_one(small_disk):
    def network(width):
        model = keras.Sequential([keras.Input((width,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    state = TrainingState(small_disk / "digest")
    small = network(10)
    assert state.save(small, TrainingProgress([{"epoch": 1}], None, 0, 0, {}))
    assert not state.save(network(100_000), TrainingProgress([{"epoch": 2}], None, 0, 0, {}))
    assert state.read().progress.history == [{"epoch": 1}]
    assert [path.name for path in (small_disk / "digest").iterdir()] == ["state.npz"]


def test_a_job_killed_again_and_again_ends_bit_equal_and_leaves_no_state(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    settings = model_settings(epochs=30, batch_size=4)
    whole = start_job(tmp_path, "whole", settings)
    states = tmp_path / "states" / "killed"
    # The moment within the epoch differs from run to run.
    for number, epoch in ((signal.SIGTERM, 3), (signal.SIGKILL, 14)):
        job = start_job(tmp_path, "killed", settings)
        printed = "".join(read_until(job, f"epoch {epoch}/30"))
        job.send_signal(number)
        assert job.wait() != 0, printed
        assert not (tmp_path / "killed").exists()
        assert len(list(states.glob("*/state.npz"))) == 1
        assert ("continuing after epoch" in printed) == (epoch > 3)
    last = start_job(tmp_path, "killed", settings)
    printed = last.communicate()[0]
    whole.communicate()
    assert (whole.returncode, last.returncode) == (0, 0), printed
    assert "epoch 5/30" not in printed
    for name in ("predictions.tsv", "layers.tsv"):
        one, two = (tmp_path / out / name for out in ("whole", "killed"))
        assert one.read_bytes() == two.read_bytes()
    one, two = (
        pd.read_csv(tmp_path / out / "history.tsv", sep="\t") for out in ("whole", "killed")
    )
    np.testing.assert_array_equal(metrics_of(one), metrics_of(two))
    assert not states.exists()


def test_other_code_does_not_continue_from_a_state(tmp_path, caplog):
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    settings = model_settings(epochs=3, batch_size=10)
    states = tmp_path / "states"
    continued = []
    for code in ("1", "2", "1"):
        caplog.clear()
        compute = job_settings(states=states, code=code)
        job = fold_job.ImageTraining(job_files(tmp_path), settings, compute, RUN)
        with caplog.at_level("INFO"), pytest.raises(InterruptedTrainingError):
            job.train(0, stop_after(5))
        continued.append("continuing after epoch" in caplog.text)
    # The third job has the code of the first one.
    assert continued == [False, False, True]
    assert len(list(states.iterdir())) == 2


def test_a_state_belongs_to_every_setting_of_its_job(tmp_path):
    images, labels = blobs()
    write_job(tmp_path, images, labels)
    fold = read_fold(job_files(tmp_path), 0, model_settings(), RUN, 7)
    setup = Setup("CPU", "float32", jit_compile=False)
    plain = job_settings(states=tmp_path)
    other = {"seed": 8, "xla": True, "deterministic": False, "threads": 5}
    other |= {"feature_runtime": "onnx"}
    # The precision is the one that `auto` means on this device.
    assert {*other, "precision"} == set(JOB_KEYS)
    computes = [plain, *(dataclasses.replace(plain, **{key: other[key]}) for key in other)]
    paths = [state_of(fold, setup, compute).path for compute in computes]
    paths.append(state_of(fold, setup._replace(precision="mixed_float16"), plain).path)
    assert len(set(paths)) == 7
