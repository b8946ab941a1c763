"""What only a real GPU shows; skipped on a machine without one.

The test of precision needs BLASTFOLD_TEST_DATA, a folder with `weights`.
Every check of the device runs in a process of its own, as each job of the workflow does: the device
is set up before TensorFlow's first operation, which the other tests of this session may have done.
"""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from support.workflow import REPOSITORY, small_experiment, snakemake, write_cells

from blastfold.core.hardware import has_gpu
from blastfold.experiment.config import check_config

pytestmark = pytest.mark.skipif(not has_gpu(), reason="this machine has no GPU")

SETTINGS = {
    "simple_cnn": {"architecture": "simple_cnn", "train": "all"},
    "mobilenet_v2": {"architecture": "MobileNetV2", "train": "head"},
}
LIBRARY = f"import sys; sys.path.insert(0, {str(REPOSITORY / 'workflow/scripts')!r})\n"
SET_UP = """
import json, sys
from blastfold.training import device
print(json.dumps(device.set_up_device(sys.argv[1], threads=2, gpu=int(sys.argv[2]))))
"""
HOLD = """
import sys
from blastfold.training import device
device.set_up_device("gpu", threads=2, gpu=1)
import keras
held = keras.ops.ones((1024, 1024, 16))
print(float(keras.ops.sum(held)), flush=True)
sys.stdin.readline()
"""
PREDICT = """
import json, sys
from pathlib import Path
policy, place, settings, weights, backbone, images = sys.argv[1:]
from blastfold.training import device
device.set_up_device(place, threads=2, gpu=int(place == "gpu"))
import keras, numpy as np
from blastfold.networks import architectures
keras.config.set_dtype_policy(policy)
keras.utils.set_random_seed(1)
images = np.load(images)
from blastfold.core.settings import ModelSettings
network = architectures.build_network(
    ModelSettings.read(json.loads(settings)), images.shape[1:]
)
if network.backbone is not None and Path(backbone).is_file():
    architectures.load_backbone_weights(network.backbone, backbone)
network = network.whole
if Path(weights).exists():
    with np.load(weights) as kept:
        network.set_weights([kept[name] for name in kept.files])
else:
    np.savez(weights, *network.get_weights())
output = np.asarray(network.predict(images, verbose=0))
print(json.dumps(output.astype(float).tolist()))
"""


def one_model(name):
    config = small_experiment(device="gpu", models={"network": {**SETTINGS[name], "epochs": 1}})
    config["datasets"]["cells"]["image_size"] = [32, 32]
    config["experiments"][0] |= {"models": ["network"], "protocols": ["holdout"]}
    return config


def start(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", LIBRARY + program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(program, *arguments):
    process = start(program, *arguments)
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    return json.loads(printed.splitlines()[-1])


def test_the_device_is_what_was_asked_for():
    assert run(SET_UP, "auto", 1).startswith("GPU ")
    assert run(SET_UP, "gpu", 1).startswith("GPU ")
    # A job without the resource stays off the GPU, whose memory is another job's.
    assert run(SET_UP, "auto", 0) == "CPU"
    assert run(SET_UP, "cpu", 1) == "CPU"


def test_memory_grows_so_that_two_processes_share_a_gpu():
    first = start(HOLD)
    try:
        assert float(first.stdout.readline()) == 2**24
        # Without memory growth the first holds nearly all of the GPU's memory.
        second = start(HOLD)
        printed, errors = second.communicate("\n")
        assert second.returncode == 0, errors
        assert float(printed) == 2**24
    finally:
        first.communicate("\n")
    assert first.returncode == 0


@pytest.mark.parametrize("name", SETTINGS)
def test_one_epoch_trains_on_the_gpu(tmp_path, name):
    write_cells(tmp_path / "resources/raw/cells")
    config = one_model(name)
    fold = "results/training/cells/holdout/network/fold-0"
    ran = snakemake(tmp_path, f"{fold}/predictions.tsv", config=config)
    assert ran.returncode == 0, ran.stdout
    record = json.loads((tmp_path / fold / "run.json").read_text("utf-8"))
    assert record["device"].startswith("GPU ")
    assert record["peak_gpu_memory_mb"] > 0
    history = pd.read_csv(tmp_path / fold / "history.tsv", sep="\t")
    assert np.isfinite(history["loss"]).all()
    predictions = pd.read_csv(tmp_path / fold / "predictions.tsv", sep="\t")
    assert predictions["probability_blast"].between(0, 1).all()


@pytest.mark.parametrize("name", SETTINGS)
def test_precision_changes_predictions_by_little(tmp_path, test_data, name):
    images, weights = tmp_path / "images.npy", tmp_path / "weights.npz"
    # With random weights every image looks the same to MobileNetV2, in any precision.
    backbone = test_data / "weights/mobilenet_v2_imagenet_notop.weights.h5"
    random = np.random.default_rng(0)
    np.save(images, random.uniform(-1, 1, (32, 96, 96, 3)).astype("float32"))
    schema = REPOSITORY / "workflow/schemas/config.schema.yaml"
    settings = json.dumps(check_config(one_model(name), schema)["models"]["network"])
    reference, single, mixed = (
        np.array(run(PREDICT, policy, place, settings, weights, backbone, images))
        for policy, place in (("float32", "cpu"), ("float32", "gpu"), ("mixed_float16", "gpu"))
    )
    assert np.ptp(reference[:, -1]) > 0.01
    # A GPU multiplies float32 with the 10 bits of TF32, as many as half precision has.
    np.testing.assert_allclose(single, reference, atol=0.02)
    np.testing.assert_allclose(mixed, reference, atol=0.02)


def test_mixed_precision_learns_as_much_and_no_step_waits_for_data(tmp_path):
    """See the script, which also runs alone where there is no other part of the environment."""
    output = tmp_path / "speed.json"
    script = REPOSITORY / "tests" / "gpu" / "training_speed.py"
    measured = subprocess.run([sys.executable, script, output], stdout=subprocess.PIPE, text=True)
    assert measured.returncode == 0, measured.stdout
    results = json.loads(output.read_text("utf-8"))
    assert [result["network"] for result in results] == 2 * ["VGG19"] + 2 * ["DenseNet169"]
    assert all(result["peak_gpu_memory_mb"] > 0 for result in results)
