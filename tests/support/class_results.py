"""Results on more than two classes, made up for the tests of tables, figures and the page.

The numbers are computed here from made-up probabilities, independently of the library.
"""

import json

import numpy as np
import pandas as pd

from blastfold.core.names import CLASS_METRIC_FACTS, OF_EACH_CLASS
from blastfold.core.tables import write_table

KAGGLE = ("Benign", "[Malignant] Early Pre-B", "[Malignant] Pre-B", "[Malignant] Pro-B")
KINDS = ("neutrophil", "lymphocyte", "monocyte", "L1 blast", "L2 blast", "L3 blast")
LONG = tuple(
    f"{kind} {stage}"
    for kind in ("myeloblast & promyelocyte", "typical lymphocyte", "erythroblast", "smudge cell")
    for stage in ("(not otherwise specified)", "with <artefact>", "of the bone marrow", "A")
)


def class_predictions(classes, images=300, seed=0, skill=2.0, folds=2, repeats=1, subjects=0):
    """Made-up test predictions; neighbouring classes are confused the most.

    Returns:
        image_id, repeat, fold, role, label and one probability per class.
    """
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, len(classes), images)
    distance = np.abs(labels[:, None] - np.arange(len(classes)))
    tables = []
    for repeat in range(repeats):
        scores = -skill * np.minimum(distance, 2) + draw.gumbel(size=distance.shape)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        columns = {f"probability_{name}": shares[:, place] for place, name in enumerate(classes)}
        ids = [f"cell-{number}" for number in range(images)]
        about = {"image_id": ids, "repeat": repeat, "fold": np.arange(images) % folds}
        tables.append(pd.DataFrame({**about, "role": "test", "label": labels, **columns}))
    return pd.concat(tables, ignore_index=True)


def mark(predictions, classes, positive):
    """Add the columns that name the positive classes, as pooled predictions have them."""
    labels = [classes.index(name) for name in positive]
    return predictions.assign(
        positive=predictions["label"].isin(labels).astype(int),
        probability=predictions[[f"probability_{name}" for name in positive]]
        .sum(axis=1)
        .clip(0, 1),
        positive_class=" + ".join(positive),
    )


def class_manifest(predictions, classes, subjects=6):
    """The manifest of the images of predictions; subjects have cells of all classes."""
    first = predictions.drop_duplicates("image_id")
    numbers = np.arange(len(first))
    return pd.DataFrame(
        {
            "image_id": first["image_id"].to_numpy(),
            "file": [f"{name}.png" for name in first["image_id"]],
            "label": first["label"].astype(str).to_numpy(),
            "class": [classes[label] for label in first["label"]],
            "subject": [f"subject {number % subjects}" for number in numbers],
            "picture": "",
        }
    )


def confusion_rows(predictions, classes):
    scopes = {"pooled": predictions}
    scopes |= {f"fold-{fold}": part for fold, part in predictions.groupby("fold")}
    rows = []
    for scope, part in scopes.items():
        predicted = _called(part, classes)
        for true, name in enumerate(classes):
            for label, other in enumerate(classes):
                images = int(((part["label"] == true) & (predicted == label)).sum())
                rows.append([scope, name, other, images])
    return pd.DataFrame(rows, columns=["scope", "true_class", "predicted_class", "images"])


def metric_rows(predictions, classes, ordered=False):
    """Made-up values with intervals of every metric; sensitivities are those of the predictions."""
    called, label = _called(predictions, classes), predictions["label"].to_numpy()
    rows = []
    for place, metric in enumerate(CLASS_METRIC_FACTS):
        if (metric == "quadratic_kappa" and not ordered) or (
            metric == "top2_accuracy" and len(classes) < 5
        ):
            continue
        rows.append(_row(metric, "", 0.5 + 0.04 * place))
    for place, name in enumerate(classes):
        own = label == place
        right = (called == place) & own
        values = {
            "auc": 0.9 - 0.01 * place,
            "sensitivity": right.sum() / own.sum() if own.any() else np.nan,
            "specificity": ((called != place) & ~own).sum() / (~own).sum(),
            "precision": right.sum() / max((called == place).sum(), 1),
            "f1": 2 * right.sum() / max(own.sum() + (called == place).sum(), 1),
        }
        rows += [_row(metric, name, values[metric]) for metric in OF_EACH_CLASS]
    folds = [
        {**row, "scope": "fold-0", "lower": np.nan, "upper": np.nan, "method": ""} for row in rows
    ]
    return pd.DataFrame([*rows, *folds])


def curve_rows(predictions, classes):
    """The empirical curves of every class, from thresholds in falling order."""
    tables = []
    for place, name in enumerate(classes):
        own = (predictions["label"] == place).to_numpy()
        order = np.argsort(-predictions[f"probability_{name}"].to_numpy(), kind="stable")
        hits = np.cumsum(own[order])
        if not own.any():
            continue
        misses = np.cumsum(~own[order])
        recall = hits / hits[-1]
        for curve, across, up in (
            ("roc", misses / misses[-1], recall),
            ("precision_recall", recall, hits / (hits + misses)),
        ):
            points = {"scope": "pooled", "class": name, "curve": curve, "x": across, "y": up}
            tables.append(pd.DataFrame(points))
    return pd.concat(tables, ignore_index=True)


def write_class_tables(folder, predictions, classes, ordered=False):
    """Write the three tables about all classes of a run."""
    write_table(confusion_rows(predictions, classes), folder / "class_confusion.tsv")
    write_table(metric_rows(predictions, classes, ordered), folder / "class_metrics.tsv")
    write_table(curve_rows(predictions, classes), folder / "class_curves.tsv")


def write_images(folder, predictions, classes):
    """Write a manifest and small pictures, one grey per class."""
    manifest = class_manifest(predictions, classes)
    write_table(manifest, folder / "manifest.tsv")
    greys = manifest["label"].astype(int).to_numpy() * (200 // len(classes)) + 40
    pictures = np.broadcast_to(greys[:, None, None, None].astype(np.uint8), (len(greys), 12, 12, 3))
    np.save(folder / "images.npy", pictures)
    counts = manifest["class"].value_counts()
    description = {
        **{"images": len(manifest), "subjects": manifest["subject"].nunique(), "pictures": None},
        **{"classes": list(classes), "class_images": {name: int(counts[name]) for name in classes}},
        **{"rejected": 0, "unnamed": {"subject": 0, "picture": len(manifest)}},
    }
    (folder / "dataset.json").write_text(json.dumps(description))
    return manifest


def _row(metric, name, value):
    limits = {"lower": value - 0.05, "upper": min(value + 0.05, 1.0)}
    return {
        **{"scope": "pooled", "metric": metric, "class": name, "value": value},
        **limits,
        **{"method": "jackknife-t", "note": "undefined" if np.isnan(value) else ""},
    }


def _called(predictions, classes):
    return predictions[[f"probability_{name}" for name in classes]].to_numpy().argmax(axis=1)
