"""Predictions and folds in the layout of files, from tables that tests calculate with."""


def stored_predictions(table, classes=("normal", "blast")):
    """Return predictions with one probability per class, for two classes.

    ``table`` has image_id, fold, role, label and probability; nothing is checked.
    """
    negative, positive = (f"probability_{name}" for name in classes)
    changed = {negative: 1 - table["probability"], positive: table["probability"]}
    return table.assign(repeat=0, **changed).drop(columns="probability")


def write_stored_predictions(table, path):
    stored_predictions(table).to_csv(path, sep="\t", index=False)
