"""Tables of differences, from predictions to the written table."""

import numpy as np
import pandas as pd
import pytest

from blastfold.core.noted_tables import write_noted
from blastfold.core.tables import read_table
from blastfold.evaluation.comparisons import comparison_table
from blastfold.reporting.tables.comparisons import tabulate_comparisons


def split(shift, groups, repeat=0):
    """One split of images in pairs, of which a model gets more right the higher the shift is."""
    random = np.random.default_rng([groups, round(100 * shift)])
    label = np.tile([0, 1], groups)
    probability = np.clip(0.5 + shift * (label - 0.5) + random.normal(0, 0.2, len(label)), 0, 1)
    names = [f"image-{number}" for number in range(len(label))]
    table = pd.DataFrame({"image_id": names, "label": label, "probability": probability})
    return table.assign(fold=0, repeat=repeat, role="test")


@pytest.mark.parametrize("groups", [3, 40])
def test_a_split_without_a_verdict_is_printed_with_few_and_with_many_groups(tmp_path, groups):
    models = {"sharp": split(0.6, groups), "blurred": split(0.3, groups)}
    names = models["sharp"]["image_id"]
    member = pd.Series([f"group-{number // 2}" for number in range(len(names))], names)
    table = comparison_table(models, member, 0.25, lambda *pair: np.random.default_rng(0))
    write_noted(table, tmp_path / "comparisons.tsv")
    paths = [tmp_path / f"shown.{ending}" for ending in ("tsv", "md")]
    titles = {"sharp": "Sharp", "blurred": "Blurred"}
    tabulate_comparisons(tmp_path / "comparisons.tsv", titles, "Cells", "tab:x", paths)
    row = read_table(paths[0]).query("metric == 'auc'").iloc[0]
    assert row["outcome"] == "one training each: no verdict on the procedures"
    assert np.isnan(row["adjusted_p_value"])
    assert row["note"]
