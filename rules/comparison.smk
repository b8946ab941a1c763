rule tabulate_datasets:
    input:
        descriptions=expand("results/datasets/{dataset}/dataset.json", dataset=DESCRIBED_DATASETS),
    output:
        tsv=report(
            "results/tables/datasets.tsv",
            caption="../workflow/report/datasets.rst",
            category="Data sets",
            subcategory="All data sets",
            labels={"table": "Characteristics"},
        ),
        tex="results/tables/datasets.tex",
        md="results/tables/datasets.md",
    log:
        "logs/tabulate_datasets.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        code=code_digest("comparison_tables"),
    message:
        "Tabulating the data sets"
    script:
        "../workflow/scripts/tabulate_datasets.py"


rule tabulate_splits:
    input:
        folds=[f"results/folds/{dataset}/{protocol}.tsv" for dataset, protocol in TRUE_SPLITS],
    output:
        tsv=report(
            "results/tables/splits.tsv",
            caption="../workflow/report/splits.rst",
            category="Data sets",
            subcategory="All data sets",
            labels={"table": "Splits"},
        ),
        tex="results/tables/splits.tex",
        md="results/tables/splits.md",
    log:
        "logs/tabulate_splits.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        splits=TRUE_SPLITS,
        titles=TITLES,
        code=code_digest("comparison_tables"),
    message:
        "Tabulating the splits"
    script:
        "../workflow/scripts/tabulate_splits.py"


rule tabulate_results:
    input:
        metrics=lambda wildcards: [
            "results/evaluation/{dataset}/{protocol}/{model}/metrics.tsv".format(**run)
            for run in TRUE_RUNS
            if run["dataset"] == wildcards.dataset
        ],
        intervals=lambda wildcards: [
            "results/evaluation/{dataset}/{protocol}/{model}/intervals.tsv".format(**run)
            for run in TRUE_RUNS
            if run["dataset"] == wildcards.dataset
        ],
    output:
        tsv=report(
            "results/tables/{dataset}/results.tsv",
            caption="../workflow/report/results.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Results (table)"},
        ),
        tex="results/tables/{dataset}/results.tex",
        md="results/tables/{dataset}/results.md",
    log:
        "logs/tabulate_results/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        runs=lambda wildcards: [run for run in TRUE_RUNS if run["dataset"] == wildcards.dataset],
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("comparison_tables"),
    message:
        "Tabulating the results on {wildcards.dataset}"
    script:
        "../workflow/scripts/tabulate_results.py"


rule tabulate_performance:
    input:
        metrics="results/evaluation/{dataset}/{protocol}/{model}/metrics.tsv",
    output:
        tsv=report(
            "results/tables/{dataset}/{protocol}/{model}.tsv",
            caption="../workflow/report/performance.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Performance (table)", "protocol": "{protocol}", "model": "{model}"},
        ),
        tex="results/tables/{dataset}/{protocol}/{model}.tex",
        md="results/tables/{dataset}/{protocol}/{model}.md",
    log:
        "logs/tabulate_performance/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("comparison_tables"),
    message:
        "Tabulating the folds of {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/tabulate_performance.py"


rule tabulate_reproduction:
    input:
        published=workflow.source_path("../resources/published_results.tsv"),
        metrics=[
            "results/evaluation/{dataset}/{protocol}/{model}/metrics.tsv".format(**run)
            for run in TRUE_RUNS
        ],
    output:
        tsv=report(
            "results/tables/reproduction.tsv",
            caption="../workflow/report/reproduction.rst",
            category="Reproduction",
            labels={"table": "Printed and measured values"},
        ),
        tex="results/tables/reproduction.tex",
        md="results/tables/reproduction.md",
    log:
        "logs/tabulate_reproduction.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        runs=TRUE_RUNS,
        code=code_digest("reproduction"),
    message:
        "Tabulating the thesis' printed values beside ours"
    script:
        "../workflow/scripts/tabulate_reproduction.py"


rule tabulate_literature:
    input:
        literature=workflow.source_path("../resources/literature.tsv"),
    output:
        tsv=report(
            "results/tables/literature.tsv",
            caption="../workflow/report/literature.rst",
            category="Comparison",
            subcategory="Literature",
            labels={"show": "Accuracies (table)"},
        ),
        tex="results/tables/literature.tex",
        md="results/tables/literature.md",
    log:
        "logs/tabulate_literature.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        code=code_digest("reproduction"),
    message:
        "Tabulating the literature"
    script:
        "../workflow/scripts/tabulate_literature.py"


rule plot_example_images:
    input:
        images="results/datasets/{dataset}/images.npy",
        manifest="results/datasets/{dataset}/manifest.tsv",
    output:
        pdf="results/figures/{dataset}/example_images.pdf",
        svg="results/figures/{dataset}/example_images.svg",
        png=report(
            "results/figures/{dataset}/example_images.png",
            caption="../workflow/report/example_images.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Example images", "protocol": "any"},
        ),
    log:
        "logs/plot_example_images/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        code=code_digest("figures.dataset_figures"),
    message:
        "Drawing example images of {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_example_images.py"


rule plot_class_distribution:
    input:
        manifest="results/datasets/{dataset}/manifest.tsv",
    output:
        pdf="results/figures/{dataset}/class_distribution.pdf",
        svg=report(
            "results/figures/{dataset}/class_distribution.svg",
            caption="../workflow/report/class_distribution.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Class distribution", "protocol": "any"},
        ),
        png="results/figures/{dataset}/class_distribution.png",
    log:
        "logs/plot_class_distribution/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("figures.dataset_figures"),
    message:
        "Drawing the class distribution of {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_class_distribution.py"


rule plot_augmented_images:
    input:
        samples="results/datasets/{dataset}/augmented_samples.npz",
    output:
        pdf="results/figures/{dataset}/augmented_images.pdf",
        svg="results/figures/{dataset}/augmented_images.svg",
        png=report(
            "results/figures/{dataset}/augmented_images.png",
            caption="../workflow/report/augmented_images.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Augmented images", "protocol": "any"},
        ),
    log:
        "logs/plot_augmented_images/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        code=code_digest("figures.dataset_figures"),
    message:
        "Drawing augmented images of {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_augmented_images.py"


rule plot_mean_images:
    input:
        mean_images=lambda wildcards: expand(
            "results/mean_images/{dataset}/{protocol}/fold-{fold}.npy",
            **wildcards,
            fold=fold_numbers(wildcards.dataset, wildcards.protocol),
        ),
    output:
        pdf="results/figures/{dataset}/{protocol}/mean_images.pdf",
        svg="results/figures/{dataset}/{protocol}/mean_images.svg",
        png=report(
            "results/figures/{dataset}/{protocol}/mean_images.png",
            caption="../workflow/report/mean_images.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Mean images", "protocol": "{protocol}"},
        ),
    log:
        "logs/plot_mean_images/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        folds=lambda wildcards: fold_numbers(wildcards.dataset, wildcards.protocol),
        code=code_digest("figures.dataset_figures"),
    message:
        "Drawing the mean images of {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/plot_mean_images.py"


rule plot_architecture:
    input:
        layers=lambda wildcards: next(
            "results/training/{dataset}/{protocol}/{model}/fold-0/layers.tsv".format(**run)
            for run in TRUE_RUNS
            if (run["dataset"], run["model"]) == (wildcards.dataset, wildcards.model)
        ),
    output:
        pdf="results/figures/{dataset}/architectures/{model}.pdf",
        svg=report(
            "results/figures/{dataset}/architectures/{model}.svg",
            caption="../workflow/report/architecture.rst",
            category="Training",
            subcategory="{dataset}",
            labels={"figure": "Schematic", "protocol": "any", "model": "{model}"},
        ),
        png="results/figures/{dataset}/architectures/{model}.png",
    log:
        "logs/plot_architecture/{dataset}/{model}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        image_size=lambda wildcards: config["datasets"][wildcards.dataset]["image_size"],
        title=lambda wildcards: TITLES["model"][wildcards.model],
        code=code_digest("figures.architecture"),
    message:
        "Drawing the schematic of {wildcards.model}"
    script:
        "../workflow/scripts/plot_architecture.py"


rule plot_training_curves:
    input:
        histories=fold_files("history.tsv"),
    output:
        pdf="results/figures/{dataset}/{protocol}/{model}/training_curves.pdf",
        svg=report(
            "results/figures/{dataset}/{protocol}/{model}/training_curves.svg",
            caption="../workflow/report/training_curves.rst",
            category="Training",
            subcategory="{dataset}",
            labels={"figure": "Training curves", "protocol": "{protocol}", "model": "{model}"},
        ),
        png="results/figures/{dataset}/{protocol}/{model}/training_curves.png",
    log:
        "logs/plot_training_curves/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("figures.training_figures"),
    message:
        "Drawing the training of {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/plot_training_curves.py"


rule plot_confusion_matrix:
    input:
        confusion="results/evaluation/{dataset}/{protocol}/{model}/confusion.tsv",
    output:
        pdf="results/figures/{dataset}/{protocol}/{model}/confusion_matrix.pdf",
        svg=report(
            "results/figures/{dataset}/{protocol}/{model}/confusion_matrix.svg",
            caption="../workflow/report/confusion_matrix.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Confusion matrix", "protocol": "{protocol}", "model": "{model}"},
        ),
        png="results/figures/{dataset}/{protocol}/{model}/confusion_matrix.png",
    log:
        "logs/plot_confusion_matrix/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("figures.evaluation_figures"),
    message:
        "Drawing the confusions of {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/plot_confusion_matrix.py"


rule plot_roc:
    input:
        curves=lambda wildcards: expand(
            "results/evaluation/{dataset}/{protocol}/{model}/roc.tsv",
            **wildcards,
            model=models_of(wildcards.dataset, wildcards.protocol),
        ),
        metrics=lambda wildcards: expand(
            "results/evaluation/{dataset}/{protocol}/{model}/metrics.tsv",
            **wildcards,
            model=models_of(wildcards.dataset, wildcards.protocol),
        ),
        bands=model_files("roc_band.tsv"),
    output:
        pdf="results/figures/{dataset}/{protocol}/roc.pdf",
        svg=report(
            "results/figures/{dataset}/{protocol}/roc.svg",
            caption="../workflow/report/roc.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "ROC curves", "protocol": "{protocol}", "model": "all"},
        ),
        png="results/figures/{dataset}/{protocol}/roc.png",
    log:
        "logs/plot_roc/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        models=lambda wildcards: [
            TITLES["model"][model] for model in models_of(wildcards.dataset, wildcards.protocol)
        ],
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("figures.evaluation_figures"),
    message:
        "Drawing the ROC curves of {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/plot_roc.py"


rule plot_precision_recall:
    input:
        curves=lambda wildcards: expand(
            "results/evaluation/{dataset}/{protocol}/{model}/precision_recall.tsv",
            **wildcards,
            model=models_of(wildcards.dataset, wildcards.protocol),
        ),
        confusions=lambda wildcards: expand(
            "results/evaluation/{dataset}/{protocol}/{model}/confusion.tsv",
            **wildcards,
            model=models_of(wildcards.dataset, wildcards.protocol),
        ),
    output:
        pdf="results/figures/{dataset}/{protocol}/precision_recall.pdf",
        svg=report(
            "results/figures/{dataset}/{protocol}/precision_recall.svg",
            caption="../workflow/report/precision_recall.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Precision-recall curves", "protocol": "{protocol}", "model": "all"},
        ),
        png="results/figures/{dataset}/{protocol}/precision_recall.png",
    log:
        "logs/plot_precision_recall/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        models=lambda wildcards: [
            TITLES["model"][model] for model in models_of(wildcards.dataset, wildcards.protocol)
        ],
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("figures.evaluation_figures"),
    message:
        "Drawing the precision-recall curves of {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/plot_precision_recall.py"


rule plot_accuracy_comparison:
    input:
        metrics=lambda wildcards: [
            "results/evaluation/{dataset}/{protocol}/{model}/metrics.tsv".format(**run)
            for run in TRUE_RUNS
            if run["dataset"] == wildcards.dataset
        ],
        published=workflow.source_path("../resources/published_results.tsv"),
    output:
        pdf="results/figures/{dataset}/accuracy_comparison.pdf",
        svg=report(
            "results/figures/{dataset}/accuracy_comparison.svg",
            caption="../workflow/report/accuracy_comparison.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Accuracy (figure)"},
        ),
        png="results/figures/{dataset}/accuracy_comparison.png",
    log:
        "logs/plot_accuracy_comparison/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        runs=lambda wildcards: [run for run in TRUE_RUNS if run["dataset"] == wildcards.dataset],
        title=lambda wildcards: ", ".join(TITLES[kind][name] for kind, name in wildcards.items()),
        code=code_digest("figures.comparison_figures"),
    message:
        "Drawing the accuracies on {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_accuracy_comparison.py"


rule plot_literature_comparison:
    input:
        metrics=[
            "results/evaluation/{dataset}/{protocol}/{model}/metrics.tsv".format(**run)
            for run in TRUE_RUNS
        ],
        literature=workflow.source_path("../resources/literature.tsv"),
        published=workflow.source_path("../resources/published_results.tsv"),
    output:
        pdf="results/figures/literature_comparison.pdf",
        svg=report(
            "results/figures/literature_comparison.svg",
            caption="../workflow/report/literature_comparison.rst",
            category="Comparison",
            subcategory="Literature",
            labels={"show": "Accuracies (figure)"},
        ),
        png="results/figures/literature_comparison.png",
    log:
        "logs/plot_literature_comparison.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        runs=TRUE_RUNS,
        code=code_digest("figures.comparison_figures"),
    message:
        "Drawing our accuracies among those of the literature"
    script:
        "../workflow/scripts/plot_literature_comparison.py"
