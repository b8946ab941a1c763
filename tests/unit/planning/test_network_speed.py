"""Turns of several networks, and networks that are measured in processes of their own."""

import json
import subprocess

import numpy as np
import pandas as pd
import pytest
from support.repository import REPOSITORY
from support.transformers import SIDE, draw_weights, write_transformer
from support.workflow import loaded_python

from blastfold.core.files import digest_file
from blastfold.planning.network_speed import describe_times, take_turns

SCRIPT = """
import json, os, signal, sys
sys.path.insert(0, {library!r})
import psutil
from blastfold.core.settings import JobSettings
from blastfold.planning import network_speed

network_speed.SECONDS = 0.01

def network(size, architecture="simple_cnn"):
    settings = {{"architecture": architecture, "stain": "none", "train": "all"}}
    return {{"settings": settings, "shape": [size, size, 3]}}

compute = JobSettings(
    seed=0, device="cpu", precision="float32", xla=False, deterministic=True, threads=1,
    feature_runtime="tensorflow", states=None, code="", gpu=0,
)
small = network(20) | {{"runs": [["cells", "cnn"], ["others", "cnn again"]]}}
large = network(33) | {{"runs": [["cells", "large"]]}}
settings = {{"architecture": "onnx", "stain": "none", "dense_units": [], "dropout": 0}}
own = {{"settings": settings, "shape": [40, 40, 3], **json.loads({own!r})}}
own["runs"] = [["cells", "transformer"]]
network_speed.measure_networks([small, large, own], compute, "measured.tsv")
errors = []
try:
    network_speed.measure([network(20), network(20, "nonsense")], compute)
except network_speed.MeasurementError as error:
    errors.append(str(error))
killed = network_speed.NetworkProcess(network(20), compute)
os.kill(killed._process.pid, signal.SIGKILL)
try:
    with killed:
        killed.run(1)
except network_speed.MeasurementError as error:
    errors.append(str(error))
children = len(psutil.Process().children())
json.dump({{"errors": errors, "children": children}}, open("found.json", "w"))
"""


def passes(log, name, seconds):
    def make_pass():
        log.append(name)
        return seconds

    return make_pass


def test_networks_take_turns_and_the_first_pass_of_a_turn_does_not_count():
    log = []
    taken = take_turns(
        [passes(log, "slow", 2.0), passes(log, "fast", 0.25)], least=2, most=5, seconds=1
    )
    # The slow one has its least number, the fast one continues until it was timed for a second.
    assert taken == [[2.0, 2.0], [0.25] * 4]
    assert log == 2 * (["slow"] * 2 + ["fast"] * 2) + ["fast"] * 4


def test_a_network_stops_at_the_largest_number_of_passes():
    log = []
    taken = take_turns([passes(log, "fast", 0.001)], 2, 5, 1, warm_up=False)
    assert taken == [[0.001] * 5]
    assert len(log) == 5


def test_no_network_takes_no_turn():
    assert take_turns([], 1, 2, 1) == []


def test_times_are_described_by_median_and_percentile():
    # 1 to 11 ms: the 90th percentile of eleven equally spaced values is the tenth of them.
    described = describe_times(np.arange(1, 12) / 1000, [0.5, 0.25, 2.0])
    assert described["latency_ms"] == pytest.approx(6)
    assert described["latency_p90_ms"] == pytest.approx(10)
    assert described["passes"] == 11
    # The median batch of 16 images takes half a second.
    assert described["images_per_second"] == 32


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    script = folder / "script.py"
    write_transformer(folder / "vit.onnx", draw_weights())
    declared = {"sha256": digest_file(folder / "vit.onnx"), "layout": "nchw", "size": [SIDE, SIDE]}
    declared |= {"multiple": 14, "scale": 1 / 255, "mean": [0] * 3, "std": [1] * 3}
    declared |= {"output": None, "pooling": "cls"}
    own = json.dumps({"weights": "vit.onnx", "onnx": declared})
    script.write_text(SCRIPT.format(library=str(REPOSITORY / "workflow" / "scripts"), own=own))
    run = subprocess.run(
        [loaded_python(), str(script)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_every_run_has_the_measurement_of_its_network(measured):
    table = pd.read_csv(measured / "measured.tsv", sep="\t", keep_default_na=False)
    assert table[["dataset", "model", "measured_as"]].to_numpy().tolist() == [
        ["cells", "cnn", "cells/cnn"],
        ["others", "cnn again", "cells/cnn"],
        ["cells", "large", "cells/large"],
        ["cells", "transformer", "cells/transformer"],
    ]
    assert table["runtime"].str.startswith("onnxruntime ").tolist() == [False] * 3 + [True]
    first, same = table.iloc[0], table.iloc[1]
    numbers = ["latency_ms", "latency_p90_ms", "images_per_second", "peak_memory_mb"]
    assert first[numbers].tolist() == same[numbers].tolist()
    assert (table["latency_ms"] > 0).all()
    assert (table["latency_p90_ms"] >= table["latency_ms"]).all()
    assert (table["passes"] >= 10).all()
    # A process has TensorFlow in its memory, and the weights of the network.
    assert (table["peak_memory_mb"] > 100).all()
    assert set(table["device"]) == {"CPU"}
    assert set(table["note"]) == {"no_gpu"}


def test_a_network_that_fails_is_named_and_leaves_no_process_behind(measured):
    found = json.loads((measured / "found.json").read_text())
    refused, killed = found["errors"]
    assert refused.startswith("nonsense: its speed could not be measured: InputError")
    assert "Set measure_speed: false" in refused
    assert "its process ended with status -9" in killed
    assert found["children"] == 0
