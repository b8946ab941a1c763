"""What evaluations, tables, figures and the publication need and are; no rules here."""


def shown_augmentation(wildcards):
    """The augmentation that the figure shows: that of the first model that has one."""
    models = [config["models"][name] for name in models_of(wildcards.dataset)]
    return next((model for model in models if model["augment"]), models[0])["augmentation"]


def fold_files(name):
    """An input function: one file of every fold's training."""

    def files(wildcards):
        dataset, protocol = wildcards.dataset, wildcards.protocol
        place = f"results/training/{dataset}/{protocol}/{wildcards.model}"
        return [f"{place}/fold-{fold}/{name}" for fold in fold_numbers(dataset, protocol)]

    return files


def model_files(name):
    """An input function: one file of every model's evaluation under one protocol."""

    def files(wildcards):
        dataset, protocol = wildcards.dataset, wildcards.protocol
        place = f"results/evaluation/{dataset}/{protocol}"
        return [f"{place}/{model}/{name}" for model in models_of(dataset, protocol)]

    return files


def run_files(name, runs):
    """One file of every given run's evaluation."""
    return [
        f"results/evaluation/{{dataset}}/{{protocol}}/{{model}}/{name}".format(**run)
        for run in runs
    ]


def split_files(ending):
    """One file of every split that tables and figures show."""
    return [f"results/folds/{dataset}/{protocol}.{ending}" for dataset, protocol in TRUE_SPLITS]


def mean_images_of(wildcards):
    dataset, protocol = wildcards.dataset, wildcards.protocol
    place = f"results/mean_images/{dataset}/{protocol}"
    return [f"{place}/fold-{fold}.npy" for fold in fold_numbers(dataset, protocol)]


# A network has the same layers under every protocol.
FIRST_RUNS = {(run["dataset"], run["model"]): run for run in reversed(SHOWN_RUNS)}


def layers_of(wildcards):
    run = FIRST_RUNS[wildcards.dataset, wildcards.model]
    return "results/training/{dataset}/{protocol}/{model}/fold-0/layers.tsv".format(**run)


# Protocols by their number of folds: a rule must know how many files it writes.
FOLD_COUNTS = {}
for protocol in dict.fromkeys(protocol for _, protocol in SPLITS):
    count = fold_count(config["protocols"][protocol])
    FOLD_COUNTS.setdefault(count, []).append(protocol)


def every_fold(name):
    """One file of every training."""
    return [
        f"results/training/{dataset}/{protocol}/{model}/fold-{fold}/{name}"
        for dataset, protocol, model in EXPERIMENTS
        for fold in fold_numbers(dataset, protocol)
    ]


def fitted_artefacts():
    """Every record of what was fitted on which images, with the name of what was fitted."""
    artefacts = [
        (dataset, protocol, "mean image", f"mean_images/{dataset}/{protocol}/fold-{fold}.json")
        for dataset, protocol in SPLITS
        for fold in fold_numbers(dataset, protocol)
    ]
    artefacts += [
        (
            dataset,
            protocol,
            f"{stain} stain",
            f"stain/{dataset}/{protocol}/{stain}/fold-{fold}.json",
        )
        for dataset, protocol in SPLITS
        for stain in stains_of(dataset, protocol)
        for fold in fold_numbers(dataset, protocol)
    ]
    for dataset, protocol, model in EXPERIMENTS:
        place = f"evaluation/{dataset}/{protocol}/{model}"
        title = TITLES["model"][model]
        artefacts += [
            (dataset, protocol, f"network {title}", f"{place}/runs.json"),
            (dataset, protocol, f"temperature and thresholds of {title}", f"{place}/fitted.json"),
        ]
    return [
        {"dataset": dataset, "protocol": protocol, "artefact": name, "path": f"results/{path}"}
        for dataset, protocol, name, path in artefacts
    ]


def ablation_pages(*names):
    """The tables or figures of every ablation that has cells, or a learning curve, to show."""
    return [
        f"ablations/{ablation}/{name}"
        for ablation, runs in ABLATIONS.items()
        for name in names
        if runs["curve" if name == "learning_curve" else "cells"]
    ]


def ablation_datasets(wildcards):
    return config["ablations"][wildcards.ablation]["datasets"]


def ablation_titles(wildcards):
    """What tables and figures call what an ablation compares, by kind and name."""
    entry = config["ablations"][wildcards.ablation]
    return {
        **TITLES,
        "factor": {factor: factor_title(factor) for factor in entry["vary"]},
        "level": {
            factor: {
                cell["levels"][factor]: level_title(factor, cell["values"][factor], config)
                for cell in ablation_cells(wildcards.ablation, entry)
            }
            for factor in entry["vary"]
        },
    }


def every_table():
    """All tables as TSV, LaTeX and Markdown."""
    names = ["datasets", "splits", "reproduction", "literature"]
    names += ["leakage", "fitted_artefacts", "printed_audit", "own_audit", "compute_cost"]
    names += [
        f"{dataset}/{name}" for dataset in TRUE_DATASETS for name in ("results", "duplicates")
    ]
    names += [f"{dataset}/protocol_gap" for dataset in TRUE_DATASETS if gap_runs(dataset)]
    names += [f"{'/'.join(split)}/comparisons" for split in compared_splits()]
    names += ["/".join(names) for names in SHOWN_EXPERIMENTS]
    names += ablation_pages("effects", "cells", "learning_curve")
    names += ["canaries"] if CANARIES else []
    names += ["external_test"] if EXTERNAL_RUNS else []
    names += [
        f"{dataset}/{protocol}/{name}"
        for dataset, protocol in SHOWN_SPLITS
        for name in ("calibration", "operating_points")
    ]
    return expand("results/tables/{name}.{ending}", name=names, ending=["tsv", "tex", "md"])


def every_figure():
    """All figures as PDF, SVG and PNG."""
    names = ["literature_comparison", "leakage"]
    names += ["external_test"] if EXTERNAL_RUNS else []
    names += [f"slides/{slide}" for slide in SLIDES]
    for dataset in TRUE_DATASETS:
        of_dataset = ["example_images", "class_distribution", "duplicates", "accuracy_comparison"]
        names += [f"{dataset}/{name}" for name in of_dataset]
        # The augmentation of a grown data set is that of the one that it was made from.
        if config["datasets"][dataset].get("of") not in TRUE_DATASETS:
            names += [f"{dataset}/augmented_images"]
        names += [f"{dataset}/architectures/{model}" for model in models_of(dataset)]
        select = config["datasets"][dataset].get("select", {})
        names += [f"{dataset}/selected_tiles"] * (select.get("method") == "discriminative")
    for dataset, protocol in SHOWN_SPLITS:
        of_split = ["mean_images", "roc", "precision_recall", "calibration", "risk_coverage"]
        of_split += [f"stain_{stain}" for stain in stains_of(dataset, protocol)]
        names += [f"{dataset}/{protocol}/{name}" for name in of_split]
    names += [f"{dataset}/protocol_gap" for dataset in TRUE_DATASETS if gap_runs(dataset)]
    names += [f"{'/'.join(split)}/differences" for split in compared_splits()]
    names += ablation_pages("effects", "learning_curve")
    for dataset, protocol, model in SHOWN_EXPERIMENTS:
        of_model = ["training_curves", "confusion_matrix"]
        names += [f"{dataset}/{protocol}/{model}/{name}" for name in of_model]
    return expand("results/figures/{name}.{ending}", name=names, ending=["pdf", "svg", "png"])


def asked_trainings():
    """Data set, protocol, model and number of folds of everything that the config asks for."""
    return [
        (dataset, protocol, model, len(fold_numbers(dataset, protocol)))
        for dataset, protocol, model in EXPERIMENTS
    ]


def every_evaluation(name):
    """One file of every model's evaluation under every protocol."""
    return [f"results/evaluation/{'/'.join(names)}/{name}" for names in EXPERIMENTS]


def stored_records(wildcards):
    """What the methods section and the checklists are made from, by kind of record."""
    return {
        "datasets": expand("results/datasets/{dataset}/dataset.json", dataset=DATASETS),
        "folds": [f"results/folds/{dataset}/{protocol}.tsv" for dataset, protocol in SPLITS],
        "leakage": [
            f"results/folds/{dataset}/{protocol}.leakage.tsv" for dataset, protocol in SPLITS
        ],
        "layers": [path for path in every_fold("layers.tsv") if "/fold-0/" in path],
        **{kind: every_evaluation(f"{kind}.tsv") for kind in ("metrics", "intervals")},
        **{kind: every_evaluation(f"{kind}.json") for kind in ("runs", "fitted")},
        "comparisons": [
            f"results/evaluation/{'/'.join(split)}/comparisons.tsv" for split in compared_splits()
        ],
    }


def every_publication_file():
    """The publication pack."""
    names = ["methods.md", "methods.tex", "provenance.json", "main.tex", "tables", "figures"]
    names += [
        f"checklist_{checklist}.{ending}"
        for checklist in ("claim", "tripod_ai")
        for ending in ("tsv", "md")
    ]
    return expand("results/publication/{name}", name=names)
