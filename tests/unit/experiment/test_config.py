"""The config check: defaults filled in, and every fault named by its key."""

import pytest
import yaml
from support.repository import REPOSITORY, SCHEMA

from blastfold.core.errors import InputError
from blastfold.experiment.canaries import canary_runs, permuted_runs
from blastfold.experiment.combinations import combinations, fold_count
from blastfold.experiment.config import check_config
from blastfold.experiment.runs import Runs


def minimal(**changes):
    config = {
        "datasets": {"cells": {"format": "folder"}},
        "protocols": {"holdout": {"kind": "holdout"}},
        "models": {"simple_cnn": {"architecture": "simple_cnn"}},
        "experiments": [
            {"datasets": ["cells"], "protocols": ["holdout"], "models": ["simple_cnn"]}
        ],
    }
    return config | changes


def fault_of(config):
    with pytest.raises(InputError) as caught:
        check_config(config, SCHEMA, "mine.yaml")
    return str(caught.value)


def test_defaults_are_the_thesis():
    config = check_config(minimal(), SCHEMA)
    assert config["datasets"]["cells"]["image_size"] == [257, 257]
    assert config["datasets"]["cells"]["path"] == "resources/raw/cells"
    protocol = config["protocols"]["holdout"]
    assert (protocol["test_fraction"], protocol["validation_fraction"]) == (0.2, 0.05)
    model = config["models"]["simple_cnn"]
    assert (model["epochs"], model["preprocessing"]) == (10, "mean_image_plain")
    assert model["augmentation"]["flip_up_down"] is True
    assert model["title"] == "simple_cnn"


def test_input_is_left_as_it_was():
    config = minimal()
    check_config(config, SCHEMA)
    assert config == minimal()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sead": 1}, "sead: unknown key; did you mean 'seed'?"),
        ({"seed": "7"}, "seed: received '7', expected integer"),
        ({"device": "tpu"}, "device: received 'tpu', expected one of ['auto', 'gpu', 'cpu']"),
        ({"datasets": {"Cells": {"format": "folder"}}}, "'Cells' does not match"),
        ({"datasets": {"cells": {}}}, "datasets.cells: the key 'format' is missing"),
        (
            {"datasets": {"cells": {"format": "folder", "image_size": [257]}}},
            "datasets.cells.image_size",
        ),
        (
            {"protocols": {"holdout": {"kind": "holdout", "test_fraction": 0.96}}},
            "add up to 1.01, expected less than 1",
        ),
        ({"protocols": {"holdout": {"kind": "predefined"}}}, "protocols.holdout.test_parts"),
        (
            {
                "models": {
                    "simple_cnn": {
                        "architecture": "simple_cnn",
                        "weights": {"pretrained_on": "pcam"},
                    }
                }
            },
            "models.simple_cnn.weights.pretrained_on: received 'pcam'",
        ),
        (
            {
                "pretraining": {"same": {"dataset": "cells", "protocol": "holdout"}},
                "models": {
                    "simple_cnn": {
                        "architecture": "simple_cnn",
                        "weights": {"pretrained_on": "same"},
                    }
                },
            },
            "same learns from images of cells, on which an experiment tests this model",
        ),
        (
            {"pretraining": {"tiles": {"dataset": "tiles", "protocol": "holdout"}}},
            "pretraining.tiles.dataset: received 'tiles'",
        ),
        (
            {
                "protocols": {
                    "holdout": {"kind": "holdout"},
                    "less": {"kind": "kfold", "same_folds_as": "holdout"},
                }
            },
            "protocols.less.kind: received 'kfold', expected that of holdout",
        ),
        (
            {
                "protocols": {
                    "holdout": {"kind": "holdout", "repeats": 3},
                    "less": {"kind": "holdout", "same_folds_as": "holdout"},
                }
            },
            "protocols.less.repeats: received 1, expected that of holdout, whose folds are wanted",
        ),
        (
            {
                "protocols": {"holdout": {"kind": "holdout", "repeats": 3}},
                "pretraining": {"source": {"dataset": "cells", "protocol": "holdout"}},
            },
            "pretraining.source.protocol: holdout has 3 repeats and so several networks",
        ),
        (
            {"models": {"simple_cnn": {"architecture": "simple_cnn", "epochs": 0}}},
            "models.simple_cnn.epochs: 0 is less than the minimum of 1",
        ),
        (
            {"models": {"simple_cnn": {"architecture": "simple_cnn", "early_stopping": 10}}},
            "expected fewer than epochs (10)",
        ),
        (
            {"experiments": [{"datasets": ["cell"], "protocols": ["holdout"], "models": ["x"]}]},
            "experiments.0.datasets: received 'cell', expected one of the entries under datasets",
        ),
    ],
)
def test_fault_names_the_key_and_what_is_expected(changes, expected):
    message = fault_of(minimal(**changes))
    assert message.startswith("mine.yaml is not valid:")
    assert expected in message


def test_all_faults_are_reported_at_once():
    message = fault_of(minimal(sead=1, device="tpu"))
    assert "sead" in message
    assert "device" in message


@pytest.mark.parametrize(
    "path",
    [REPOSITORY / "config.yaml", *sorted((REPOSITORY / "config").glob("*.yaml"))],
    ids=lambda p: p.name,
)
def test_every_shipped_config_is_valid(path):
    config = check_config(yaml.safe_load(path.read_text("utf-8")), SCHEMA, path.name)
    assert combinations(config)


@pytest.mark.parametrize(
    ("entry", "received"),
    [
        ({"format": "pcam"}, "format pcam"),
        ({"format": "all-idb1"}, "format all-idb1"),
        ({"format": "folder", "boxes": "Annotations"}, "boxes"),
    ],
)
def test_photographs_belong_to_files_of_one_crop_each(entry, received):
    config = minimal()
    name = next(iter(config["datasets"]))
    config["datasets"][name] = {**entry, "photographs": "resources/raw/smears"}
    expected = f"datasets.{name}.photographs: received {received}, expected one of the formats"
    assert expected in fault_of(config)
    config["datasets"][name] = {"format": "all-idb2", "photographs": "resources/raw/smears"}
    assert check_config(config, SCHEMA)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"format": "photographs"}, "needs the labels of its cells"),
        ({"format": "photographs", "pattern": "{subject}/*"}, "needs the labels of its cells"),
        ({"format": "folder", "detector": {}}, "belongs to format photographs"),
        (
            {
                **{"format": "photographs", "sheet": "cells.csv"},
                "detector": {"red_cell_diameter": 90, "micrometres_per_pixel": 0.1},
            },
            "expected one of them or none",
        ),
        (
            {"format": "photographs", "sheet": "c.csv", "detector": {"red_cell_diameter": 0}},
            "red_cell_diameter",
        ),
        # Pixels per micrometre in place of micrometres per pixel.
        (
            {"format": "photographs", "sheet": "c.csv", "detector": {"micrometres_per_pixel": 8}},
            "micrometres_per_pixel",
        ),
    ],
)
def test_a_data_set_of_photographs_needs_labels_and_one_scale(entry, message):
    config = minimal()
    config["datasets"][next(iter(config["datasets"]))] = entry
    assert message in fault_of(config)


def test_every_key_of_the_schema_is_described():
    def keys_without_description(schema, place):
        for key, entry in schema.get("properties", {}).items():
            described = "description" in entry or "$ref" in entry or "description" in str(entry)
            if not described:
                yield f"{place}.{key}"
            yield from keys_without_description(entry, f"{place}.{key}")

    schema = yaml.safe_load(SCHEMA.read_text("utf-8"))
    for name, definition in schema["$defs"].items():
        assert list(keys_without_description(definition, name)) == []


def test_combinations_are_the_product_without_repeats():
    config = {
        "experiments": [
            {"datasets": ["a", "b"], "protocols": ["p"], "models": ["m", "n"]},
            {"datasets": ["a"], "protocols": ["p", "q"], "models": ["m"]},
        ]
    }
    assert combinations(config) == [
        ("a", "p", "m"),
        ("a", "p", "n"),
        ("b", "p", "m"),
        ("b", "p", "n"),
        ("a", "q", "m"),
    ]


def test_fold_count():
    assert fold_count({"kind": "holdout"}) == 1
    assert fold_count({"kind": "kfold", "folds": 7}) == 7
    assert fold_count({"kind": "predefined", "test_parts": ["fold_0", "fold_1"]}) == 2


@pytest.mark.parametrize("repeats", [1, 4])
def test_folds_of_all_repeats_are_counted(repeats):
    protocols = {
        "once": ({"kind": "holdout"}, 1),
        "folds": ({"kind": "kfold", "folds": 7}, 7),
        "parts": ({"kind": "predefined", "test_parts": ["a", "b"]}, 2),
    }
    for entry, folds in protocols.values():
        config = check_config(minimal(protocols={"holdout": entry | {"repeats": repeats}}), SCHEMA)
        assert fold_count(config["protocols"]["holdout"]) == repeats * folds


def test_augment_false_switches_every_change_off():
    model = {"architecture": "simple_cnn", "augment": False, "augmentation": {"crop": 0.3}}
    config = check_config(minimal(models={"simple_cnn": model}), SCHEMA)
    assert set(map(float, config["models"]["simple_cnn"]["augmentation"].values())) == {0.0}


def with_grown(**changes):
    grown = {"format": "grown", "of": "cells", "grow": {"normal": 10, "blast": 12}}
    cells = {"format": "folder", "image_size": [32, 40], "duplicates": {"candidates": 7}}
    return minimal(datasets={"cells": cells, "more": grown | changes})


@pytest.mark.parametrize(
    "grow",
    [
        {},
        {"normal": 10},
        {"augmentation": {}},
        {"times": 8, "normal": 10, "blast": 12},
        {"times": 1},
        {"times": 2.5},
    ],
)
def test_a_data_set_grows_by_a_factor_or_to_numbers(grow):
    with pytest.raises(InputError, match=r"datasets.more.grow"):
        check_config(with_grown(grow=grow), SCHEMA)


def test_a_data_set_grows_by_a_factor():
    config = check_config(with_grown(grow={"times": 8}), SCHEMA)
    assert config["datasets"]["more"]["grow"]["times"] == 8


def test_grown_data_set_takes_what_it_does_not_name_from_its_base():
    config = check_config(with_grown(), SCHEMA)
    grown = config["datasets"]["more"]
    assert grown["image_size"] == [32, 40]
    assert grown["duplicates"]["candidates"] == 7
    assert grown["grow"]["augmentation"]["brightness"] == 0.1
    assert "path" not in grown
    changed = with_grown(duplicates={"candidates": 9})
    assert check_config(changed, SCHEMA)["datasets"]["more"]["duplicates"]["candidates"] == 9


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (with_grown(of="cell"), "datasets.more.of: received 'cell', expected a data set"),
        (with_grown(of="more"), "datasets.more.of: received 'more', expected a data set"),
        (with_grown(image_size=[9, 9]), "datasets.more.image_size: format grown takes this from"),
        (with_grown(grow={"normal": 3}), "datasets.more.grow: received normal, expected times"),
        (with_grown(format="folder"), "datasets.more.grow: belongs to format grown"),
        (
            minimal(datasets={"cells": {"format": "grown"}}),
            "datasets.cells.of: is missing, format grown needs it",
        ),
        (minimal(datasets={"cells": {"format": "permuted"}}), "received 'permuted', expected one"),
    ],
)
def test_fault_of_a_grown_data_set(config, expected):
    assert expected in fault_of(config)


def with_selected(**changes):
    config = with_grown(format="selected", select={"share": 0.5})
    entry = {key: value for key, value in config["datasets"]["more"].items() if key != "grow"}
    config["datasets"]["more"] = entry | changes
    return config


def test_selected_data_set_takes_what_it_does_not_name_from_its_base():
    selected = check_config(with_selected(), SCHEMA)["datasets"]["more"]
    assert selected["image_size"] == [32, 40]
    assert "path" not in selected
    expected = {"method": "discriminative", "share": 0.5, "architecture": "mobilenet_v2"}
    expected |= {"weights": "none", "pooling": "average", "preprocessing": "imagenet"}
    assert selected["select"] == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (with_selected(of="cell"), "datasets.more.of: received 'cell', expected a data set"),
        (with_selected(of="more"), "datasets.more.of: received 'more', expected a data set"),
        (with_selected(select={"share": 0}), "datasets.more.select.share: 0 is less than or equal"),
        (with_selected(select={"share": 1.1}), "datasets.more.select.share: 1.1 is greater than"),
        (with_selected(select={"method": "best"}), "datasets.more.select.method: received 'best'"),
        (with_selected(format="folder"), "datasets.more.select: belongs to format selected"),
        (with_selected(format="folder"), "datasets.more.of: belongs to format grown or selected"),
        (with_selected(format="grown"), "datasets.more.select: belongs to format selected"),
        (with_selected(format="grown"), "datasets.more.grow: is missing, format grown needs it"),
        (
            with_selected(image_size=[9, 9]),
            "datasets.more.image_size: format selected takes this from",
        ),
        (
            minimal(datasets={"cells": {"format": "selected"}}),
            "datasets.cells.select: is missing, format selected needs it",
        ),
    ],
)
def test_fault_of_a_selected_data_set(config, expected):
    assert expected in fault_of(config)


def test_stain_is_none_unless_asked_for():
    assert check_config(minimal(), SCHEMA)["models"]["simple_cnn"]["stain"] == "none"
    model = {"architecture": "simple_cnn", "stain": "vahadane"}
    assert "models.simple_cnn.stain: received 'vahadane', expected one of" in fault_of(
        minimal(models={"simple_cnn": model})
    )


def test_attributions_are_compared_with_cells():
    config = minimal(datasets={"cells": {"format": "pcam"}})
    config["experiments"][0]["attribution"] = 5
    expected = "experiments.0.attribution: received 5 with cells, whose images show tissue"
    assert expected in fault_of(config)
    config["datasets"]["cells"]["format"] = "folder"
    config["models"]["simple_cnn"]["architecture"] = "onnx"
    assert "received 5 with models.simple_cnn, whose backbone is no network of Keras" in fault_of(
        config
    )
    config["models"]["simple_cnn"]["architecture"] = "simple_cnn"
    assert check_config(config, SCHEMA)["experiments"][0]["attribution"] == 5


def with_canaries(**datasets):
    config = minimal()
    config["datasets"] |= datasets
    config["models"]["vgg19"] = {"architecture": "vgg19"}
    entry = config["experiments"][0]
    config["experiments"] = [
        entry | {"canaries": True},
        entry | {"models": ["vgg19"]},
    ]
    return config


def test_canaries_are_two_more_data_sets_of_their_experiment():
    config = check_config(with_canaries(), SCHEMA)
    names = [f"cells_labels_permuted_by_{unit}" for unit in ("subject", "image")]
    assert combinations(config) == [
        *((name, "holdout", "simple_cnn") for name in ("cells", *names)),
        ("cells", "holdout", "vgg19"),
    ]
    entries = [config["datasets"][name] for name in names]
    assert [entry["permute_among"] for entry in entries] == ["subject", "image"]
    assert entries[0]["title"] == "cells, labels permuted among subjects"
    assert {(entry["format"], entry["of"]) for entry in entries} == {("permuted", "cells")}


def test_canary_runs_are_after_the_true_ones():
    runs = canary_runs(check_config(with_canaries(), SCHEMA))
    assert [(run["labels"], run["run"]) for run in runs] == [
        ("true", "cells"),
        ("subject", "cells_labels_permuted_by_subject"),
        ("image", "cells_labels_permuted_by_image"),
    ]
    # The second experiment asks for none.
    assert {(run["dataset"], run["model"]) for run in runs} == {("cells", "simple_cnn")}
    assert canary_runs(check_config(minimal(), SCHEMA)) == []


def test_permutations_are_of_heads_on_stored_features():
    config = minimal()
    config["models"]["vgg19"] = {"architecture": "vgg19", "train": "head"}
    entry = config["experiments"][0]
    config["experiments"] = [
        entry | {"models": ["vgg19"], "permutations": count} for count in (20, 30)
    ]
    assert permuted_runs(check_config(config, SCHEMA)) == [
        {"dataset": "cells", "protocol": "holdout", "model": "vgg19", "permutations": 30}
    ]
    config["experiments"][0]["models"] = ["simple_cnn"]
    assert "experiments.0.permutations: received 20 with models.simple_cnn" in fault_of(config)
    config["experiments"][0] |= {"models": ["vgg19"], "permutations": 19}
    assert "experiments.0.permutations" in fault_of(config)


def with_contrast(**changes):
    config = minimal()
    entry = {"kind": "leak_contrast", "leak": "subject", "group_by": "subject", "folds": 3}
    config["protocols"]["leak"] = entry | changes
    [experiment] = config["experiments"]
    config["experiments"] = [experiment | {"protocols": ["holdout", "leak"]}]
    return config


def test_a_leak_contrast_becomes_two_protocols():
    config = check_config(with_contrast(title="The leak", repeats=2), SCHEMA)
    arms = ["leak_with_leak", "leak_without_leak"]
    assert [run[1] for run in combinations(config)] == ["holdout", *arms]
    entries = [config["protocols"][name] for name in arms]
    assert [entry["arm"] for entry in entries] == ["with", "without"]
    assert [entry["title"] for entry in entries] == [
        "The leak: with leak",
        "The leak: without leak",
    ]
    assert [fold_count(entry) for entry in entries] == [6, 6]
    assert "leak" not in config["protocols"]
    runs = Runs(config)
    # The arms have no figures of their own and are not in the protocol gap.
    assert [run.protocol for run in runs.shown] == ["holdout"]
    assert runs.gap_of("cells") == []
    assert runs.contrasts_of("cells") == [
        {
            **{"dataset": "cells", "model": "simple_cnn", "contrast": "leak"},
            **{"contrast_title": "The leak", "leak": "subject"},
            **{"with": "leak_with_leak", "without": "leak_without_leak"},
        }
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"group_by": "image"}, "protocols.leak.group_by: received 'image'"),
        ({"folds": 2}, "protocols.leak.folds: received 2, expected 3 or more"),
        ({"training_share": 0.5}, "takes no training_share"),
        ({"leakage": "forbid"}, "takes no training_share, same_folds_as or leakage: forbid"),
        ({"leak": "pictures"}, "protocols.leak.leak: received 'pictures'"),
        ({"kind": "kfold"}, "protocols.leak.leak: belongs to kind leak_contrast"),
    ],
)
def test_fault_of_a_leak_contrast(changes, expected):
    assert expected in fault_of(with_contrast(**changes))


def test_the_leak_of_a_contrast_is_asked_for_and_its_arms_have_free_names():
    config = with_contrast()
    del config["protocols"]["leak"]["leak"]
    assert "protocols.leak.leak: is missing" in fault_of(config)
    config = with_contrast()
    config["protocols"]["leak_with_leak"] = {"kind": "holdout"}
    assert "makes a protocol leak_with_leak, which exists" in fault_of(config)


def test_name_of_a_canary_that_is_taken_is_a_fault():
    message = fault_of(with_canaries(cells_labels_permuted_by_image={"format": "folder"}))
    assert "experiments.0.canaries: makes a data set cells_labels_permuted_by_image" in message


def with_same_folds(**origins):
    protocol = {"kind": "kfold", "folds": 3}
    protocols = {name: {**protocol, "same_folds_as": origin} for name, origin in origins.items()}
    return minimal(protocols={"holdout": {"kind": "holdout"}, "folds": protocol, **protocols})


def test_folds_of_folds_are_those_that_are_drawn():
    config = check_config(with_same_folds(b="folds", c="b", d="c"), SCHEMA)
    origins = [config["protocols"][name]["same_folds_as"] for name in "bcd"]
    assert origins == ["folds"] * 3
    assert "same_folds_as" not in config["protocols"]["folds"]


@pytest.mark.parametrize(
    ("origins", "key", "circle"),
    [
        ({"b": "b"}, "b", "b -> b"),
        ({"b": "c", "c": "b"}, "b", "c -> b -> c"),
        ({"b": "c", "c": "d", "d": "c"}, "b", "c -> d -> c"),
    ],
)
def test_folds_in_a_circle_are_refused(origins, key, circle):
    message = fault_of(with_same_folds(**origins))
    assert f"protocols.{key}.same_folds_as: {circle} is a circle" in message


def test_a_missing_origin_further_on_is_named():
    message = fault_of(with_same_folds(b="c", c="lost"))
    assert "protocols.c.same_folds_as: received 'lost'" in message
    assert "circle" not in message


def with_source(**models):
    transferred = {"architecture": "simple_cnn", "weights": {"pretrained_on": "src"}}
    source = {"dataset": "tiles", "protocol": "holdout", "training": {"epochs": 9}}
    config = minimal(
        models={"transferred": transferred, **models},
        pretraining={"src": source},
    )
    config["datasets"]["tiles"] = {"format": "folder"}
    config["experiments"][0]["models"] = list(config["models"])
    return config


def test_a_model_of_the_user_is_never_replaced_by_a_source_task():
    assert check_config(with_source(), SCHEMA)["models"]["src_simplecnn"]["epochs"] == 9
    own = {"architecture": "simple_cnn", "epochs": 2}
    message = fault_of(with_source(src_simplecnn=own))
    assert "models.src_simplecnn: pretraining makes a model of this name" in message
    # The name is free as long as no source task is asked for.
    config = with_source(src_simplecnn=own)
    config["experiments"][0]["models"] = ["src_simplecnn"]
    assert check_config(config, SCHEMA)["models"]["src_simplecnn"]["epochs"] == 2


def with_entry(part, **changes):
    """The small config with changed keys of its only data set, protocol, model or experiment."""
    config = minimal()
    entry = config[part][0] if part == "experiments" else next(iter(config[part].values()))
    entry |= changes
    return config


def with_training(training):
    return minimal(
        pretraining={"src": {"dataset": "cells", "protocol": "holdout", "training": training}}
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # Numbers.
        (with_entry("protocols", test_fraction=float("nan")), "received nan, expected number"),
        (with_entry("protocols", test_fraction=float("inf")), "received inf, expected number"),
        (
            with_entry("models", learning_rate=float("inf")),
            "models.simple_cnn.learning_rate: recei",
        ),
        (
            with_entry("models", learning_rate="1e-4"),
            "received '1e-4', expected number; write 0.0001",
        ),
        (
            with_entry("protocols", kind="kfold", folds=2.0),
            "protocols.holdout.folds: received 2.0, ",
        ),
        (
            with_entry("protocols", repeats=0),
            "protocols.holdout.repeats: 0 is less than the minimum of 1",
        ),
        (
            with_entry("protocols", repeats=1000),
            "protocols.holdout.repeats: 1000 is greater than the maximum of 100",
        ),
        (
            with_entry("protocols", repeats=1.0),
            "protocols.holdout.repeats: received 1.0, expected integer",
        ),
        (
            with_entry("protocols", repeats=True),
            "protocols.holdout.repeats: received True, expected integer",
        ),
        (
            with_entry("protocols", repeats=3, redraw="folds"),
            "protocols.holdout.redraw: received 'folds', expected one of ['split', 'seeds']",
        ),
        (
            with_entry("datasets", image_size=[32.0, 32.0]),
            "datasets.cells.image_size.0: received 32.0, expected integer, written without",
        ),
        (
            with_entry("models", epochs=True),
            "models.simple_cnn.epochs: received True, expected int",
        ),
        (
            with_entry("models", early_stopping=2.0),
            "models.simple_cnn.early_stopping: received 2.0",
        ),
        (minimal(seed=10**30), "seed: received 1000000000000000000000000000000, expected a number"),
        # Lists, entries and nothing where names are wanted.
        (with_training([]), "pretraining.src.training: received [], expected object (keys"),
        (with_training({"epoch": 3}), "pretraining.src.training: epoch: unknown key; did you mean"),
        (
            with_training({"epochs": [3]}),
            "pretraining.src.training: epochs: received [3], expected",
        ),
        (with_entry("experiments", models={"a": 1}), "experiments.0.models: received {'a': 1}"),
        (
            with_entry("experiments", models=[["a"]]),
            "experiments.0.models.0: received ['a'], expected",
        ),
        (with_entry("experiments", datasets=None), "experiments.0.datasets: received None"),
        (with_entry("models", architecture={}), "models.simple_cnn.architecture: received {}"),
        (
            with_entry("models", weights={"pretrained_on": ["a"]}),
            "simple_cnn.weights: received {'pre",
        ),
        (minimal(experiments="all"), "experiments: received 'all', expected array (a list such as"),
        (minimal(models=["vgg19"]), "models: received ['vgg19'], expected object (keys, each with"),
        (minimal(datasets=None), "datasets: received None, expected object"),
        ([], "top level: received [], expected keys"),
        # Words that YAML reads as truth values.
        (
            with_entry("datasets", classes={"normal": [False], "blast": [True]}),
            "datasets.cells.classes.normal.0: received False, expected string or integer; YAML "
            "reads yes, no, on, off, true and false as a truth value; put quotes round the word",
        ),
        (minimal(device=False), "['auto', 'gpu', 'cpu']; YAML reads yes, no"),
        # Labels of classes.
        (
            with_entry("datasets", classes={"normal": ["a, b"], "blast": ["c", "A, B "]}),
            "datasets.cells.classes: 'a, b' is listed under both classes",
        ),
        (
            with_entry("datasets", classes={"normal": [1, "cell"], "blast": ["L1"]}),
            "datasets.cells.classes.normal: received '1', which means blast in every sheet",
        ),
        # More than two classes.
        (
            with_entry("datasets", classes={"a": ["x"], "b": ["y"], "c": ["z"]}),
            "datasets.cells.positive: is missing, and there are 3 classes (a, b, c). Name the",
        ),
        (
            with_entry("datasets", classes={"a": ["x"], "b": ["y"]}, positive="c"),
            "datasets.cells.positive: received ['c'], expected some of the classes ['a', 'b']",
        ),
        (
            with_entry("datasets", classes={"a": ["x"], "b": ["y"]}, positive=["b", "a"]),
            "datasets.cells.positive: received all classes, expected at least one class less",
        ),
        (
            with_entry("datasets", classes={"a": ["x"], "b": ["x"], "c": ["z"]}, positive=["a"]),
            "datasets.cells.classes: 'x' is listed under the classes a and b, expected it under",
        ),
        (
            with_entry("datasets", classes={"A": ["x"], "a": ["y"]}),
            "datasets.cells.classes: 'a' names two classes, expected names that differ in more",
        ),
        (
            with_entry("datasets", classes={"a + b": ["x"], "c": ["y"]}),
            "datasets.cells.classes: received the name 'a + b', expected printable text without",
        ),
        (
            with_entry("datasets", classes={"a": ["x"]}),
            "datasets.cells.classes: received {'a': ['x']}, expected a number of entries of 2",
        ),
        (
            with_entry("datasets", classes={str(n): [f"x{n}"] for n in range(101)}),
            "expected 100 entries at most",
        ),
        (
            with_entry("datasets", positive="Benign", ordered=True),
            "datasets.cells.ordered: received true without the key classes. Folders and labels",
        ),
        (
            with_entry("datasets", format="all-idb2", classes={"normal": ["a"], "blast": ["b"]}),
            "datasets.cells.classes: belongs to the formats folder, photographs, tiles, demo",
        ),
        # Parts of a predefined split.
        (
            with_entry("protocols", kind="predefined", test_parts=["test"], train_parts=["Test"]),
            "protocols.holdout.train_parts: nothing is left to train on when 'test' is tested",
        ),
        (
            with_entry("protocols", kind="predefined", test_parts=["a"], train_parts=["a"]),
            "protocols.holdout.train_parts: nothing is left to train on when 'a' is tested",
        ),
        (
            with_entry(
                "protocols", kind="predefined", test_parts=["a", "b"], validation_parts=["b"]
            ),
            "protocols.holdout.validation_parts: 'b' is among test_parts too",
        ),
        # Settings that do not fit together.
        (
            with_entry("datasets", format="demo", demo={"crop_size": [470, 64]}),
            "datasets.cells.demo: crop_size is [470, 64]; expected at most [469, 629]",
        ),
        (
            with_entry("datasets", format="demo", demo={"duplicates": 289}),
            "datasets.cells.demo: duplicates is 289; expected at most 288, one of each cell",
        ),
        # Networks.
        (with_entry("models", architecture="vgg91"), "'vgg91'; did you mean VGG19?"),
        (
            with_entry("models", architecture="alexnet_2012_x"),
            "expected simple_cnn, tiny_cnn, separable_cnn or one of keras",
        ),
        (
            with_entry("models", weights="imagenet"),
            "models.simple_cnn.weights: received 'imagenet', but simple_cnn has no ImageNet",
        ),
        (
            with_entry("models", preprocessing="imagenet"),
            "simple_cnn.preprocessing: received 'imag",
        ),
        (
            with_entry("models", train="head", test_time_views=2),
            "simple_cnn.test_time_views: received 2, but stored features are those of one view",
        ),
        (
            minimal(
                datasets={"cells": {"format": "folder", "image_size": [32, 40]}},
                models={"simple_cnn": {"architecture": "simple_cnn", "test_time_views": 8}},
            ),
            "test_time_views: received 8, but images of cells are 32x40 and cannot be transposed",
        ),
        (
            with_selected(select={"architecture": "simple_cnn"}),
            "datasets.more.select.architecture: received 'simple_cnn', expected one of keras.app",
        ),
        (
            with_selected(select={"architecture": "Xception"}),
            "datasets.more.select.architecture: Xception cannot take images of 32x40 pixels",
        ),
    ],
)
def test_fault_of_a_value(config, expected):
    assert expected in fault_of(config)


@pytest.mark.parametrize(
    ("architecture", "smallest"),
    [("simple_cnn", 18), ("inception-v3", 75), ("Xception", 71), ("MobileNet_V3_Small", 32)],
)
def test_images_are_as_small_as_the_network_takes(architecture, smallest):
    config = with_entry("models", architecture=architecture)
    config["datasets"]["cells"]["image_size"] = [smallest, smallest]
    check_config(config, SCHEMA)
    config["datasets"]["cells"]["image_size"] = [smallest + 9, smallest - 1]
    message = fault_of(config)
    assert f"models.simple_cnn.architecture: {architecture} cannot take images of" in message
    assert f"expected at least {smallest}x{smallest}, set datasets.cells.image_size" in message
    # A model that no experiment combines with these images may stay.
    config["datasets"]["large"] = {"format": "folder"}
    config["experiments"][0]["datasets"] = ["large"]
    check_config(config, SCHEMA)


def test_images_of_a_source_task_and_of_a_varied_network_are_checked_too():
    config = with_source()
    config["models"]["transferred"]["architecture"] = "InceptionV3"
    config["datasets"]["tiles"]["image_size"] = [64, 64]
    assert "models.src_inceptionv3.architecture: InceptionV3 cannot take images" in fault_of(config)
    config = minimal()
    config["datasets"]["cells"]["image_size"] = [64, 64]
    varied = {"vary": {"architecture": ["simple_cnn", "Xception"]}, "model": "simple_cnn"}
    config["ablations"] = {"what": config["experiments"][0] | varied}
    del config["ablations"]["what"]["models"]
    assert "models.what_xception.architecture: Xception cannot take images" in fault_of(config)


def test_one_wrong_key_gives_one_fault_in_however_many_models():
    config = minimal()
    epochs = {"epochs": list(range(1, 40)), "batch_size": [1, 2, 3]}
    entry = {"datasets": ["cells"], "protocols": ["holdout"], "model": "simple_cnn", "vary": epochs}
    config["ablations"] = {"what": entry}
    config["models"]["simple_cnn"]["preprocessing"] = "imagenet"
    assert fault_of(config).count("\n  - ") == 1


def test_many_faults_are_cut_short():
    models = {f"m{number}": {"architecture": "lost"} for number in range(50)}
    message = fault_of(minimal(models=models))
    assert message.count("\n  - ") == 20
    assert "... and 31 more" in message


@pytest.mark.parametrize(
    ("starts", "circle"),
    [({"a": "a"}, "a -> a"), ({"a": "b", "b": "a"}, "a -> b -> a")],
)
def test_source_tasks_in_a_circle_are_refused(starts, circle):
    sources = {
        name: {
            "dataset": "tiles",
            "protocol": "holdout",
            "training": {"weights": {"pretrained_on": start}, "preprocessing": "weights"},
        }
        for name, start in starts.items()
    }
    config = with_source() | {"pretraining": sources}
    config["models"]["transferred"]["weights"] = {"pretrained_on": "a"}
    config["models"]["transferred"]["preprocessing"] = "weights"
    assert f"pretraining.a.training.weights: {circle} is a circle" in fault_of(config)


@pytest.mark.parametrize("shares", [[0.255, 0.25500001], [1e-7]])
def test_shares_that_give_no_name_of_their_own_are_refused(shares):
    entry = {"datasets": ["cells"], "protocols": ["holdout"], "model": "simple_cnn"}
    message = fault_of(minimal(ablations={"what": entry | {"training_shares": shares}}))
    assert f"ablations.what.training_shares: received {shares[0]!r}" in message


def test_a_model_that_no_experiment_asks_for_may_start_from_a_source_task():
    config = with_source()
    config["models"]["transferred"]["preprocessing"] = "weights"
    config["models"]["other"] = {"architecture": "simple_cnn"}
    config["experiments"][0]["models"] = ["other"]
    checked = check_config(config, SCHEMA)
    assert checked["models"]["transferred"]["preprocessing"] == "source_mean_image_plain"
    assert "src_simplecnn" not in checked["models"]


@pytest.mark.parametrize(
    ("protocol", "stops"),
    [
        ({"kind": "holdout", "validation_fraction": 0}, False),
        ({"kind": "holdout"}, True),
        ({"kind": "predefined", "test_parts": ["a", "b"], "validation_fraction": 0}, False),
        (
            {
                "kind": "predefined",
                "test_parts": ["a", "b"],
                "validation_parts": ["c"],
                "validation_fraction": 0,
            },
            True,
        ),
    ],
)
def test_early_stopping_needs_validation_images(protocol, stops):
    config = minimal(protocols={"holdout": protocol})
    check_config(config, SCHEMA)
    config["models"]["simple_cnn"]["early_stopping"] = 3
    if stops:
        check_config(config, SCHEMA)
    else:
        assert "models.simple_cnn.early_stopping: needs validation images" in fault_of(config)
