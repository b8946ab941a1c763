"""Tables of images to split, and protocols with all keys."""

import pandas as pd


def images_of(subjects, part=""):
    """A data set from (subject, label, count) rows."""
    rows = [
        (f"{subject}-{number}", label, subject, f"{subject}-picture-{number // 3}")
        for subject, label, count in subjects
        for number in range(count)
    ]
    table = pd.DataFrame(rows, columns=["image_id", "label", "subject", "picture"])
    table["class"] = table["label"].map({0: "normal", 1: "blast"})
    table["group"] = table["subject"]
    table["part"] = part
    return table


def protocol(**changes):
    default = {
        "name": "mine",
        "kind": "kfold",
        "folds": 5,
        "group_by": "image",
        "test_fraction": 0.2,
        "validation_fraction": 0.05,
        "validation_group_by": "same",
        "training_share": 1,
    }
    return default | changes


def many_subjects(random, count=40):
    return images_of(
        [(f"s{i:02}", int(i % 3 > 0), int(random.integers(5, 40))) for i in range(count)]
    )
