"""Training and extraction on a GPU: mixed precision against float32, and what waits for data.

One prepared script for a machine with a GPU that has NumPy, pandas, SciPy, h5py, Keras and JAX, and
nothing else of the environment:

    KERAS_BACKEND=jax python3 tests/gpu/training_speed.py speed.json

It trains all layers of DenseNet169 and VGG19 on images of 257 pixels in batches of 64 for 200 steps
and prints images per second, the share of the time of a step in which the loop waits for data, peak
memory and the AUC on images that were not trained on, for both precisions. Every network and
precision has a process of its own, since the peak memory of a GPU is that of a process. It takes
under ten minutes. A trial on a CPU:

    ... training_speed.py speed.json --device cpu --size 40 --batch 4 --steps 3 --networks VGG16

It ends with an error where the loop waits for more than 3 % of the time, or where the AUC of mixed
precision differs by more than 0.05 from that of float32, which is less than other seeds change it.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

LIBRARY = Path(__file__).parents[2] / "workflow" / "scripts"
sys.path.insert(0, str(LIBRARY))

MOST_WAITING, MOST_DIFFERENCE = 0.03, 0.05
STORED = 2048
"""Images that the training draws from."""

SETTINGS = {
    "train": "all",
    "stages": 1,
    "stage_learning_rate_factor": 0.1,
    "schedule": "constant",
    "batch_normalisation": "trained",
    "features": "online",
    "pooling": "average",
    "dense_units": [],
    "dropout": 0.0,
    "preprocessing": "mean_image_plain",
    "stain": "none",
    "epochs": 3,
    "learning_rate": 0.0001,
    "when_out_of_memory": "accumulate",
    "class_weights": False,
    "early_stopping": None,
    "test_time_views": 1,
    "onnx": None,
    "vectors": None,
    "tune": None,
    "augmentation": {
        **dict.fromkeys(("flip_up_down", "flip_left_right", "transpose"), True),
        **dict.fromkeys(("brightness", "contrast", "saturation", "crop"), 0.1),
        **{"hue": 0.02, "rotation": 0, "stain_jitter": 0},
    },
}


def draw_cells(count, size, seed):
    """Discs on a light ground; their radii in the two classes overlap."""
    import numpy as np

    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    rows, columns = np.mgrid[:size, :size]
    images = np.empty((count, size, size, 3), dtype="uint8")
    for index, label in enumerate(labels):
        radius = size * random.normal(0.24 + 0.04 * label, 0.03)
        centre = size / 2 + random.uniform(-size / 8, size / 8, 2)
        inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
        cell = np.where(inside[..., None], [110, 70, 150], [225, 200, 210])
        images[index] = np.clip(cell + random.integers(-25, 26, (size, size, 1)), 0, 255)
    return images, labels


def area_under_curve(labels, probabilities):
    """The share of pairs in which the blast has the higher probability (Hanley & McNeil 1982)."""
    difference = probabilities[labels == 1][:, None] - probabilities[labels == 0][None, :]
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def build(architecture, images, options):
    """Return a trainer of all layers, and the parts to train and to test on."""
    import numpy as np

    from blastfold.core.settings import ModelSettings
    from blastfold.networks import architectures
    from blastfold.networks.preprocessing import build_preparation
    from blastfold.training import device
    from blastfold.training.batches import ImageInputs
    from blastfold.training.trainer import image_trainer

    settings = ModelSettings.read(
        {**SETTINGS, "architecture": architecture, "batch_size": options.batch}
    )
    network = architectures.build_network(settings, images.shape[1:], 0, 0)
    mean = np.full(images.shape[1:], 127.5, "float32")
    preparation = build_preparation(settings.preprocessing, network.application, mean, None)
    inputs = ImageInputs(images, settings.augmentation, seed=0)
    if options.device == "gpu":
        inputs.keep_on_device(device.free_gpu_memory())
    jit = device.default_jit_compile("GPU" if options.device == "gpu" else "CPU")
    return image_trainer(network, preparation, inputs, settings, 0, jit_compile=jit)


def seconds_of(function):
    """Return the seconds that a function takes, and its result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def ready_steps(trainer, part, steps):
    """Run the compiled step on one batch that lies ready, without reading or drawing anything."""
    import keras

    from blastfold.training.batches import gather

    rows = part.rows[: trainer.settings.batch_size]
    arrays = gather(trainer.inputs.training(1), rows)
    batch = [keras.ops.convert_to_tensor(array) for array in arrays]
    labels = keras.ops.convert_to_tensor(part.labels[: len(rows)])
    weights = keras.ops.ones(len(rows))
    for _ in range(steps):
        metrics = trainer.trained.train_on_batch(
            batch, labels, sample_weight=weights, return_dict=True
        )
    # The last value is read, so that the device has finished.
    return float(metrics["loss"])


def measure(architecture, policy, options):
    """Measure one network in one precision; prints the result as JSON."""
    import keras
    import numpy as np

    from blastfold.core.fold_table import Part
    from blastfold.training import device

    name = device.set_up_device(options.device, 2, int(options.device == "gpu"))
    if policy == "mixed":
        # A CPU has none of its own; bfloat16 is what GPUs since Ampere have.
        own = device.default_precision(name)
        policy = own if own != "float32" else "mixed_bfloat16"
    keras.config.set_dtype_policy(policy)
    tested = min(512, options.stored // 4)
    images, labels = draw_cells(options.stored + tested, options.size, seed=1)
    trainer = build(architecture, images, options)
    rows = np.arange(options.steps * options.batch) % options.stored
    part = Part(rows, labels[rows])
    few = Part(part.rows[: 2 * options.batch], part.labels[: 2 * options.batch])
    test = Part(np.arange(options.stored, options.stored + tested), labels[options.stored :])
    # Compiles the step and the prediction.
    compiling, _ = seconds_of(lambda: (trainer.train_epoch(few, 1), trainer.predict(few)))
    loop, metrics = seconds_of(lambda: trainer.train_epoch(part, 2))
    probabilities = trainer.predict(test)[:, 1]
    # Of two passes over test images and training images of their number the faster one counts.
    extracting = min(seconds_of(lambda: trainer.predict(test))[0] for _ in range(2))
    # Compiles the step for arrays of the device.
    ready_steps(trainer, part, 2)
    ready, _ = seconds_of(lambda: ready_steps(trainer, part, options.steps))
    return {
        "network": architecture,
        "precision": policy,
        "device": name,
        "backend": f"{keras.backend.backend()} {device.backend_version()}",
        "size": options.size,
        "batch": options.batch,
        "steps": options.steps,
        "compiling_seconds": round(compiling, 1),
        "training_images_per_second": round(len(rows) / loop, 1),
        "ready_images_per_second": round(len(rows) / ready, 1),
        "waiting_share": round(max(0.0, 1 - ready / loop), 4),
        "predicted_images_per_second": round(tested / extracting, 1),
        "peak_gpu_memory_mb": device.peak_device_memory(),
        "loss": float(metrics["loss"]),
        "auc": area_under_curve(labels[options.stored :], probabilities),
    }


def problems(results, checked):
    """Yield what does not hold.

    Args:
        results: See :func:`measure`, float32 before mixed precision of each network.
        checked: Whether the device is one on which the times say something.
    """
    for single, mixed in zip(results[::2], results[1::2], strict=True):
        difference = abs(single["auc"] - mixed["auc"])
        if not difference <= MOST_DIFFERENCE:
            yield f"{single['network']}: the AUC of mixed precision differs by {difference:.3f}"
        for result in (single, mixed):
            if checked and result["waiting_share"] > MOST_WAITING:
                share = 100 * result["waiting_share"]
                yield f"{result['network']}, {result['precision']}: waits {share:.1f} % of the time"


def main(arguments):
    """Measure every network and precision in a process of its own, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--device", default="gpu", choices=("gpu", "cpu"))
    parser.add_argument("--networks", nargs="+", default=["VGG19", "DenseNet169"])
    parser.add_argument("--size", type=int, default=257)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--stored", type=int, default=STORED)
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "PRECISION"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        options.output.write_text(json.dumps(measure(*options.one, options)), "utf-8")
        return 0
    results = []
    for network in options.networks:
        for policy in ("float32", "mixed"):
            part = options.output.with_name(f"{options.output.stem}.{network}.{policy}.json")
            sizes = ("size", "batch", "steps", "stored", "device")
            given = [f"--{name}={getattr(options, name)}" for name in sizes]
            command = [sys.executable, __file__, str(part), *given, "--one", network, policy]
            subprocess.run(command, check=True)
            results.append(json.loads(part.read_text("utf-8")))
            part.unlink()
            print(json.dumps(results[-1]), flush=True)
            # What has been measured is kept where a later network fails.
            options.output.write_text(json.dumps(results, indent=1), "utf-8")
    found = list(problems(results, options.device == "gpu"))
    print("\n".join(found) or "Nothing differs or waits.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
