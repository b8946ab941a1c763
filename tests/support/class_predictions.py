"""Made-up predictions of more than two classes, with groups that share an effect."""

import numpy as np
import pandas as pd


def class_table(classes=4, groups=12, images=5, folds=3, repeats=1, seed=0, names=None, gain=1.5):
    """Return test predictions as readers return them, with a column ``group``.

    Every group has one class, in turn. The last class is positive in the reading of two sides.
    """
    random = np.random.default_rng(seed)
    names = names or [f"k{place}" for place in range(classes)]
    rows = []
    for group in range(groups):
        effect = random.normal(scale=0.5, size=classes)
        for image in range(images):
            for repeat in range(repeats):
                scores = effect + random.normal(size=classes)
                scores[group % classes] += gain
                probability = np.exp(scores) / np.exp(scores).sum()
                fold = (group // classes + repeat) % folds
                rows.append((f"{group}-{image}", repeat, fold, group % classes, *probability))
    columns = [f"probability_{name}" for name in names]
    table = pd.DataFrame(rows, columns=["image_id", "repeat", "fold", "class_label", *columns])
    return table.assign(
        role="test",
        label=(table["class_label"] == classes - 1).astype(int),
        probability=table[columns[-1]],
        positive_class=names[-1],
        group="g" + table["image_id"].str.split("-").str[0],
    )
