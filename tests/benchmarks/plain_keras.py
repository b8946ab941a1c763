"""Cross-validation of a frozen backbone as a tutorial teaches it: the yardstick of the benchmarks.

One Keras model a fold, images decoded from their files in every epoch by tf.data, augmentation
layers in front of the backbone, and ``model.fit``. Nothing here comes from Blastfold. Hue and
saturation, which Blastfold changes too, are left as they are, which saves this script time.

    python tests/benchmarks/plain_keras.py resources/raw/c_nmc_2019 --architecture MobileNetV2 \\
        --weights resources/weights/mobilenet_v2_imagenet_notop.weights.h5

Prints one line of JSON: seconds a fold and an epoch, the AUC of all test folds together and the
mean of the folds' AUC.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split

PREPROCESSING = {
    "MobileNetV2": keras.applications.mobilenet_v2.preprocess_input,
    "DenseNet169": keras.applications.densenet.preprocess_input,
}
ENDINGS = (".bmp", ".png")


def list_images(folder):
    """Return paths and labels (1 for ``all``, 0 for ``hem``) of C-NMC 2019's official folders."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in ENDINGS)
    labels = np.array([int(path.parent.name == "all") for path in paths])
    return np.array([str(path) for path in paths]), labels


def read_folds(table, paths):
    """Return the places of training, validation and test images of every fold of a table."""
    folds = pd.read_csv(table, sep="\t", dtype={"image_id": str})
    place = {Path(path).stem: number for number, path in enumerate(paths)}
    folds["place"] = folds["image_id"].map(place)
    roles = ("train", "validation", "test")
    return [
        [of_fold.loc[of_fold["role"] == role, "place"].to_numpy(dtype=int) for role in roles]
        for _, of_fold in folds.groupby("fold")
    ]


def make_folds(labels, count, seed):
    """Split by image, stratified, with a tenth of what is left for validation."""
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    for rest, test in splitter.split(labels, labels):
        train, validation = train_test_split(
            rest, test_size=0.1, stratify=labels[rest], random_state=seed
        )
        yield train, validation, test


def image_reader(crop, size):
    """Return a function from path and label to image and label."""

    def read(path, label):
        image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
        image.set_shape((None, None, 3))
        image = tf.image.resize_with_crop_or_pad(image, crop, crop)
        return tf.image.resize(image, (size, size), method="area"), label

    return read


def make_dataset(paths, labels, options, shuffle=False):
    """Decode in parallel, batch and prefetch, as TensorFlow's performance guide advises."""
    dataset = tf.data.Dataset.from_tensor_slices((paths, labels))
    if shuffle:
        dataset = dataset.shuffle(len(paths))
    read = image_reader(options.crop, options.image_size)
    dataset = dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(options.batch_size).prefetch(tf.data.AUTOTUNE)


def build_model(options):
    """Augmentation, pre-processing, a frozen backbone and two softmax neurons."""
    shape = (options.image_size, options.image_size, 3)
    application = getattr(keras.applications, options.architecture)
    backbone = application(include_top=False, weights=None, input_shape=shape, pooling="avg")
    if options.weights != "none":
        backbone.load_weights(options.weights)
    backbone.trainable = False
    augmentation = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal_and_vertical"),
            keras.layers.RandomZoom((-0.1, 0.0), (-0.1, 0.0)),
            keras.layers.RandomBrightness(0.1, value_range=(0, 255)),
            keras.layers.RandomContrast(0.1),
        ]
    )
    image = keras.Input(shape)
    features = PREPROCESSING[options.architecture](augmentation(image))
    features = backbone(features, training=False)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(features))
    model.compile(
        optimizer=keras.optimizers.Adam(options.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


class EpochTimes(keras.callbacks.Callback):
    """Notes how long every epoch took, validation included."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Stop the clock."""
        self.seconds.append(time.perf_counter() - self.start)


def run_fold(paths, labels, fold, options):
    """Train on one fold; return the test images' probabilities of ``all`` and seconds an epoch."""
    train, validation, test = fold
    keras.backend.clear_session()
    model = build_model(options)
    counts = np.bincount(labels[train], minlength=2)
    times = EpochTimes()
    model.fit(
        make_dataset(paths[train], labels[train], options, shuffle=True),
        validation_data=make_dataset(paths[validation], labels[validation], options),
        epochs=options.epochs,
        class_weight={label: len(train) / (2 * counts[label]) for label in (0, 1)},
        callbacks=[times],
        verbose=0,
    )
    predicted = model.predict(make_dataset(paths[test], labels[test], options), verbose=0)
    return predicted[:, 1], times.seconds


def main():
    """Run the cross-validation and print what it measured."""
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    paths, labels = list_images(options.images)
    if options.folds_table:
        folds = read_folds(options.folds_table, paths)
    else:
        folds = list(make_folds(labels, options.folds, options.seed))
    tested, probabilities, areas, fold_seconds, epoch_seconds = [], [], [], [], []
    for fold in folds[: options.only_folds]:
        start = time.perf_counter()
        probability, seconds = run_fold(paths, labels, fold, options)
        fold_seconds.append(time.perf_counter() - start)
        epoch_seconds += seconds
        tested.append(fold[2])
        probabilities.append(probability)
        areas.append(roc_auc_score(labels[fold[2]], probability))
    tested, probabilities = np.concatenate(tested), np.concatenate(probabilities)
    measured = {
        "architecture": options.architecture,
        "images": len(paths),
        "tested_images": len(tested),
        "folds": len(folds),
        "folds_run": len(fold_seconds),
        "epochs": options.epochs,
        "measured_seconds": sum(fold_seconds),
        "seconds_a_fold": float(np.mean(fold_seconds)),
        "seconds_an_epoch": float(np.median(epoch_seconds)),
        "auc": float(roc_auc_score(labels[tested], probabilities)),
        "mean_auc": float(np.mean(areas)),
    }
    if len(fold_seconds) < len(folds):
        measured["extrapolated_seconds_of_all_folds"] = len(folds) * measured["seconds_a_fold"]
    print(json.dumps(measured))


def parse_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("images", help="folder of C-NMC 2019 in its official layout")
    parser.add_argument("--architecture", choices=sorted(PREPROCESSING), default="MobileNetV2")
    parser.add_argument("--weights", default="none", help="a .weights.h5 file, or none for random")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--crop", type=int, default=300, help="central square kept of each image")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument(
        "--folds-table", help="TSV with image_id, fold and role, in place of --folds"
    )
    parser.add_argument("--only-folds", type=int, help="run the first folds only and extrapolate")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=2022)
    return parser.parse_args()


if __name__ == "__main__":
    main()
