"""Which networks are exported, and which backbones that are files a config may have."""

from types import SimpleNamespace

import pytest
from support.repository import SCHEMA

from blastfold.core.errors import InputError
from blastfold.experiment.config import check_config
from blastfold.experiment.exports import ALL_FOLDS, Export, Exports, take_request
from blastfold.experiment.runs import Runs
from blastfold.experiment.stored_files import StoredFiles

ONNX = {
    "file": "dino.onnx",
    "sha256": "0" * 64,
    "layout": "nchw",
    "size": [28, 28],
    "multiple": 14,
    "scale": 1.0,
    "mean": [0, 0, 0],
    "std": [1, 1, 1],
    "pooling": "cls",
}


def make_config(models=None, exports=(), **entry):
    models = {"cnn": {"architecture": "simple_cnn"}, "other": {"architecture": "vgg16"}} | (
        models or {}
    )
    both = {"datasets": ["cells", "more"], "protocols": ["holdout", "folds"], "models": [*models]}
    return {
        "datasets": {
            name: {"format": "folder", "image_size": [64, 64]} for name in both["datasets"]
        },
        "protocols": {
            "holdout": {"kind": "holdout"},
            "folds": {"kind": "kfold", "folds": 3, "group_by": "subject"},
        },
        "models": models,
        "experiments": [both | entry],
        "exports": list(exports),
    }


def make_exports(request=None, **options):
    runs = Runs(check_config(make_config(**options), SCHEMA))
    return Exports(runs, StoredFiles(runs), request or {})


def test_a_model_alone_means_the_first_data_set_and_the_largest_groups():
    exports = make_exports({"model": "cnn"}, exports=[{"model": "other", "fold": 2}])
    assert exports.requested == [Export("cells", "folds", "cnn", ALL_FOLDS)]
    assert exports.asked == [Export("cells", "folds", "other", "fold-2")]
    request = {"model": "cnn", "dataset": "more", "protocol": "holdout", "fold": 0}
    assert make_exports(request).requested == [Export("more", "holdout", "cnn", "fold-0")]
    assert "<results>/export/cells/folds/cnn/all_folds/model_card.md" in exports.of_request(None)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, r"export\.model: is missing, expected one of cnn, other \(snakemake export"),
        ({"model": "ccn"}, r"export\.model: received 'ccn', expected one of cnn, other"),
        ({"model": "cnn", "dataset": "cell"}, "received 'cell', expected one of cells, more"),
        ({"model": "cnn", "protocol": 7}, "received 7, expected one of holdout, folds"),
        ({"model": "cnn", "fold": 3}, "folds has 3 folds; expected a number from 0 to 2"),
        ({"model": "cnn", "fold": "first"}, "received 'first'"),
        ({"model": "cnn", "fold": True}, "received True"),
        ({"model": "dino"}, "the backbone of dino is a file of yours"),
    ],
)
def test_an_export_of_nothing_is_an_error(request_, message):
    dino = {"architecture": "onnx", "train": "head", "onnx": ONNX}
    models = {"dino": dino} if request_.get("model") == "dino" else {}
    with pytest.raises(InputError, match=message):
        make_exports(request_, models=models).of_request(None)


def test_a_command_gives_keys_that_no_config_file_has():
    given = {"model": "cnn", "fold": 1, "seed": 5}
    config = {"seed": 5, "datasets": {}, **given}
    assert take_request(config, given) == {"model": "cnn", "fold": 1}
    assert config == {"seed": 5, "datasets": {}}
    # In a file they are unknown keys, which the check of the config reports.
    assert take_request({"model": "cnn"}, {}) == {}
    with pytest.raises(InputError, match="model: unknown key"):
        check_config(make_config() | {"model": "cnn"}, SCHEMA)


def test_a_backbone_that_is_a_file_is_start_weights_with_a_declaration():
    dino = {"architecture": "onnx", "train": "head", "onnx": ONNX}
    bloom = {"architecture": "features", "train": "head", "augment": False}
    bloom["vectors"] = {"file": "bloom.h5"}
    models = check_config(make_config({"dino": dino, "bloom": bloom}), SCHEMA)["models"]
    assert models["dino"]["weights"] == "dino.onnx"
    assert models["bloom"]["weights"] == "bloom.h5"
    assert {models[name]["preprocessing"] for name in ("dino", "bloom")} == {"declared"}
    assert models["bloom"]["vectors"]["ids"] == "image_id"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train": "all"},
            r"models\.dino\.train: received 'all', but architecture onnx needs 'head'",
        ),
        ({"features": "online"}, "needs 'stored'"),
        ({"weights": "imagenet"}, r"models\.dino\.weights: received 'imagenet'"),
        ({"preprocessing": "imagenet"}, "architecture onnx has it in onnx, leave it out"),
        ({"onnx": {**ONNX, "size": [30, 28]}}, r"received \[30, 28\], expected multiples of 14"),
        ({"onnx": {**ONNX, "sha256": "abc"}}, r"models\.dino\.onnx\.sha256: 'abc' does not match"),
        (
            {"onnx": {**ONNX, "std": [1, 1, 0]}},
            r"models\.dino\.onnx\.std\.2: 0 is less than or equal",
        ),
        ({"architecture": "vgg16"}, "onnx: belongs to architecture onnx, received .* vgg16"),
        ({"architecture": "features"}, r"models\.dino\.vectors: is missing"),
    ],
)
def test_keys_that_do_not_fit_the_file_are_errors(changes, message):
    dino = {"architecture": "onnx", "train": "head", "onnx": ONNX} | changes
    with pytest.raises(InputError, match=message):
        check_config(make_config({"dino": dino}), SCHEMA)


def test_vectors_have_no_changed_images_and_no_external_test():
    bloom = {"architecture": "features", "train": "head", "vectors": {"file": "bloom.h5"}}
    with pytest.raises(InputError, match=r"models\.bloom\.augment: vectors are of unchanged"):
        check_config(make_config({"bloom": bloom}), SCHEMA)
    config = make_config({"bloom": bloom | {"augment": False}}, external_test=["third"])
    config["datasets"]["third"] = dict(config["datasets"]["cells"])
    with pytest.raises(InputError, match="so no Keras network, which this key needs"):
        check_config(config, SCHEMA)


def test_what_start_weights_were_learnt_from_is_read_too():
    """The network of the last source task starts from that of the first."""
    start = {"weights": {"pretrained_on": "last"}, "preprocessing": "none"}
    config = make_config(models={"cnn": {"architecture": "simple_cnn", **start}})
    source = {"format": "folder", "image_size": [64, 64]}
    config["datasets"] |= {"tiles": source, "tissue": source}
    training = {"weights": {"pretrained_on": "first"}, "preprocessing": "none"}
    config["pretraining"] = {
        "first": {"dataset": "tiles", "protocol": "holdout", "training": {}},
        "last": {"dataset": "tissue", "protocol": "holdout", "training": training},
    }
    runs = Runs(check_config(config, SCHEMA))
    exports = Exports(runs, StoredFiles(runs), {})
    named = {model: exports.sources(SimpleNamespace(model=model)) for model in ("cnn", "other")}
    place = "<results>/datasets"
    assert named == {
        "cnn": [f"{place}/tissue/manifest.tsv", f"{place}/tiles/manifest.tsv"],
        "other": [],
    }
