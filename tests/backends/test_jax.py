"""Networks, their layers, augmentation and training do the same when Keras runs on JAX."""

import os
import subprocess
import sys

import keras
import pytest

TESTS = (
    "networks/test_architectures",
    "networks/test_augmentation",
    "training/test_fold_job",
    "training/test_state",
    "training/test_device",
)

LEFT_OUT = (
    # What runs in one job, and errors, do not depend on the backend.
    "folds_in_one_job",
    "wrong_weights_are_an_error",
    # It starts one process after another, for minutes; what they do within one is tested.
    "killed_again_and_again",
    # The same calls build these networks on every backend. Simple CNN and MobileNetV2 are trained.
    "densenet169_ends",
    "vgg19_trains",
    "layers_know_their_stage",
    "becomes_zero_in_a_network_that_scales_images_itself",
    # A frozen MobileNetV2 is compiled once: "frozen backbone stays as it was".
    "figures_are_those_of_the_batches and MobileNetV2",
    "stopped_between_any_two_batches and changes2",
)


def compiled_quickly(folder):
    """Settings of a run on JAX that spends less time on compiling.

    Every test builds networks of its own, many of them equal. Programs compiled once are kept,
    and they are compiled without optimisation, which takes longer than it saves here.
    """
    return {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
    }


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="this is the run on JAX")
def test_the_tests_of_networks_pass_on_jax(tmp_path):
    pytest.importorskip("jax")
    files = [f"tests/unit/{name}.py" for name in TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k"]
    command.append(" and ".join(f"not ({name})" for name in LEFT_OUT))
    run = subprocess.run(
        [*command, *files],
        env={**os.environ, **compiled_quickly(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-6000:]
    assert " passed" in run.stdout.splitlines()[-1]
    # Without this the whole run could have been on TensorFlow.
    seen = subprocess.run(
        [sys.executable, "-c", "import keras; print(keras.backend.backend())"],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "jax"
