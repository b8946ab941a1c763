"""Tables of chosen settings and of locked tests, and what the methods text says of a choice."""

import pandas as pd
import pytest

from blastfold.core.openings import add_opening
from blastfold.core.tuning_settings import TUNABLE
from blastfold.reporting.publication.records import Records, Run
from blastfold.reporting.publication.training_facts import optimisation_sentences
from blastfold.reporting.publication.tuning_facts import WORDS, tuning_sentences
from blastfold.reporting.tables.locked_test import openings_table, results_table
from blastfold.reporting.tables.tuning import GIVEN, summary, tried_table
from blastfold.reporting.tables.writing import to_markdown

SETTINGS = {
    **{"train": "head", "learning_rate": 0.1, "batch_size": 8, "epochs": 4},
    **{"class_weights": True, "early_stopping": None},
}


def record(fold, losses, scores=None, chosen=1, criterion="loss"):
    """The record of a fold; without losses that of a model that is not tuned."""
    found = {"repeat": 0, "fold": fold, "epochs": 4, "settings": SETTINGS}
    if losses:
        tried = [
            {
                **{"settings": {"learning_rate": rate}, "epochs": 4},
                **{"validation_loss": loss, "validation_score": score},
            }
            for rate, loss, score in zip((0.1, 0.01), losses, scores or (None, None), strict=True)
        ]
        found["tuning"] = {"criterion": criterion, "possible": 4, "chosen": chosen}
        found["tuning"]["configurations"] = tried
    return found


def names(model):
    found = {"dataset": "cells", "protocol": "folds", "model": model}
    return found | {f"{name}_title": value.title() for name, value in found.items()}


TUNED = [record(0, [0.2, 0.4]), record(1, [0.3, 0.1], chosen=2), record(2, [0.1, 0.2])]
PLAIN = [record(fold, None) for fold in range(3)]


def test_every_configuration_has_a_row_in_every_fold_and_one_over_all():
    table = tried_table([TUNED, PLAIN], [names("cnn"), names("plain")])
    assert len(table) == 3 * 2 + 3
    assert "validation_score" not in table
    of_cnn = table[table["model"] == "cnn"]
    assert of_cnn.groupby("fold")["chosen"].sum().tolist() == [1, 1, 1]
    shown = summary(table)
    assert shown["settings"].tolist() == ["learning_rate 0.1", "learning_rate 0.01", "as given"]
    assert shown["configurations"].tolist() == [2, 2, 1]
    assert shown["chosen"].tolist() == [2, 1, 3]
    assert shown["validation_loss"].tolist()[:2] == pytest.approx([0.2, 0.7 / 3])
    # Another number of configurations is no silent difference.
    assert GIVEN.partition(":")[2].strip() in to_markdown(shown, "caption")


def test_a_fold_that_was_judged_by_loss_has_a_note():
    one = record(0, [0.2, 0.4], [0.6, 0.9], chosen=2, criterion="auc")
    other = record(1, [0.2, 0.4])
    table = tried_table([[one, other]], [names("cnn")])
    assert table["validation_score"].tolist()[:2] == [0.6, 0.9]
    assert table["note"].map(bool).tolist() == [False, False, True, True]


def test_the_summary_shows_the_metric_that_decided():
    folds = [
        record(fold, [0.2, 0.4], scores, chosen=2, criterion="sensitivity")
        for fold, scores in enumerate([(0.5, 0.9), (0.25, 1.0)])
    ]
    shown = summary(tried_table([folds, PLAIN[:2]], [names("cnn"), names("plain")]))
    assert shown["criterion"].tolist() == ["Sensitivity", "Sensitivity", "none"]
    assert shown["validation_score"].tolist() == ["37.50 %", "95.00 %", "none"]
    assert "| Chosen by | Mean of it in validation |" in to_markdown(shown, "caption")
    by_loss = [folds[0], record(1, [0.2, 0.4])]
    shown = summary(tried_table([by_loss], [names("cnn")]))
    assert shown["criterion"].tolist() == ["Sensitivity and loss"] * 2


def records_of(**models):
    runs = [
        Run("cells", "folds", model, fold["fold"], fold)
        for model, folds in models.items()
        for fold in folds
    ]
    config = {
        "datasets": {"cells": {"title": "Cells"}},
        "protocols": {"folds": {"title": "Folds"}},
        "models": {model: {"title": model.upper()} for model in models},
    }
    known = {"config": config, "runs": runs, "datasets": {}}
    return Records(**dict.fromkeys(Records._fields) | known)


def test_the_methods_text_has_the_number_of_configurations_and_the_choices():
    records = records_of(cnn=TUNED, plain=PLAIN)
    text = " ".join(tuning_sentences(records))
    assert (
        "For CNN, 2 configurations, drawn at random from 4, of the learning rate were trained in "
        "every fold, and the one with the smallest cross-entropy of the fold's validation images "
        "was kept." in text
    )
    assert "learning_rate 0.1 in 2 folds and learning_rate 0.01 in 1 fold." in text
    assert "The settings of PLAIN were given and not chosen" in text
    assert tuning_sentences(records_of(plain=PLAIN)) == []
    [tuned, plain] = optimisation_sentences(records)
    assert "learning rate as chosen in the fold" in tuned
    assert "0.1" not in tuned
    assert "learning rate 0.1" in plain


def test_every_key_that_can_be_chosen_has_words():
    assert set(WORDS) == set(TUNABLE)


def test_results_of_a_locked_test_have_the_number_of_openings(tmp_path):
    facts = {"dataset": "cells", "runs": "folds/cnn", "images": 6, "commit": "c" * 40}
    path = tmp_path / "openings.tsv"
    lines = [add_opening(path, {**facts, "changed": "no", "config": "d" * 64}) for _ in range(2)]
    rows = pd.DataFrame(
        {
            **{"dataset": ["cells"] * 2, "external": "x", "external_title": "X"},
            **{"tested": ["same data set", "other data set"], "networks": "n", "images": [9, 6]},
        }
    )
    table = results_table(rows, {"cells": lines})
    assert table["opened"].tolist() == [2, 2]
    assert table["tested"].tolist() == ["open part", "locked test set"]
    assert not {"external", "external_title"} & set(table)
    record = openings_table({"cells": lines}, {"cells": "Cells"})
    assert record["number"].tolist() == [1, 2]
    assert record["commit"].tolist() == ["c" * 12] * 2
