"""Devices of TensorFlow; :mod:`blastfold.training.device` chooses between the backends."""

import os
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

library = tf
VERSION = tf.__version__


def set_threads(threads: int) -> bool:
    """Limit the threads; False when TensorFlow has started and keeps its number."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        return False
    return True


def find_gpu() -> str | None:
    """Return the name of the first visible GPU, for instance ``"NVIDIA A100"``; None without."""
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return None
    details = tf.config.experimental.get_device_details(devices[0])
    return details.get("device_name", devices[0].name)


def use_gpu() -> None:
    """Run this process on the first visible GPU only."""
    device = tf.config.list_physical_devices("GPU")[0]
    # Without memory growth TensorFlow takes the whole GPU, and a second process fails.
    tf.config.experimental.set_memory_growth(device, True)
    tf.config.set_visible_devices(device, "GPU")


def use_cpu() -> None:
    """Run this process without any GPU."""
    tf.config.set_visible_devices([], "GPU")


def set_deterministic() -> None:
    """Make operations bit-reproducible on this machine."""
    tf.config.experimental.enable_op_determinism()


def compute_capability() -> tuple[int, int] | None:
    """Return the CUDA compute capability of the GPU in use; None on a CPU or when unknown."""
    devices = tf.config.get_visible_devices("GPU")
    if not devices:
        return None
    return tf.config.experimental.get_device_details(devices[0]).get("compute_capability")


def peak_memory() -> int | None:
    """Return the peak memory of the GPU in bytes; None on a CPU."""
    if not tf.config.get_visible_devices("GPU"):
        return None
    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether TensorFlow raised an error because the memory of the device is full."""
    return isinstance(error, tf.errors.ResourceExhaustedError)


def compiled(model: keras.Model, jit_compile: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Trace a model once, for any number of images; returns a function from images to outputs."""
    image = model.inputs[0]

    @tf.function(
        input_signature=[tf.TensorSpec((None, *image.shape[1:]), image.dtype)],
        autograph=False,
        jit_compile=jit_compile or None,
    )
    def run(images: tf.Tensor) -> tf.Tensor:
        return model(images, training=False)

    return lambda images: run(images).numpy()


def gradient(function, point):
    """Return the gradient of a function at a point, and what else it returns there.

    Args:
        function: From a tensor to a scalar and anything else.
        point: The tensor.
    """
    with tf.GradientTape() as tape:
        tape.watch(point)
        value, more = function(point)
    return tape.gradient(value, point), more


def describe_build() -> str:
    """Describe the installed build."""
    build = tf.sysconfig.get_build_info()
    return (
        f"TensorFlow {VERSION}, built with CUDA: {tf.test.is_built_with_cuda()}, "
        f"CUDA {build.get('cuda_version')}, cuDNN {build.get('cudnn_version')}"
    )
