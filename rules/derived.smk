rule grow_dataset:
    input:
        images=base_file("images.npy"),
        manifest=base_file("manifest.tsv"),
        summary=base_file("dataset.json"),
    output:
        images="results/datasets/{dataset}/images.npy",
        manifest="results/datasets/{dataset}/manifest.tsv",
        rejected="results/datasets/{dataset}/rejected.tsv",
        summary="results/datasets/{dataset}/dataset.json",
    log:
        "logs/grow_dataset/{dataset}.log",
    benchmark:
        "benchmarks/grow_dataset/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(datasets_of("grown")),
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime="1h",
    params:
        dataset=derived_settings("title", "format", "of", "grow"),
        seed=config["seed"],
        code=code_digest("networks.grown_datasets"),
    message:
        "Growing {wildcards.dataset} by augmented copies"
    script:
        "../workflow/scripts/grow_dataset.py"


rule select_tiles:
    input:
        images=base_file("images.npy"),
        manifest=base_file("manifest.tsv"),
        summary=base_file("dataset.json"),
        features=selection_features,
    output:
        images="results/datasets/{dataset}/images.npy",
        manifest="results/datasets/{dataset}/manifest.tsv",
        rejected="results/datasets/{dataset}/rejected.tsv",
        summary="results/datasets/{dataset}/dataset.json",
        tiles="results/datasets/{dataset}/tiles_selected.tsv",
    log:
        "logs/select_tiles/{dataset}.log",
    benchmark:
        "benchmarks/select_tiles/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(datasets_of("selected")),
    conda:
        "../envs/folds.yaml"
    threads: 2
    resources:
        mem_mb=8000,
        runtime="2h",
    params:
        dataset=derived_settings("title", "format", "of", "select"),
        seed=config["seed"],
        code=code_digest("datasets.selection"),
    message:
        "Choosing the images of {wildcards.dataset}"
    script:
        "../workflow/scripts/select_tiles.py"


rule plot_selected_tiles:
    input:
        images=base_file("images.npy"),
        tiles="results/datasets/{dataset}/tiles_selected.tsv",
    output:
        pdf="results/figures/{dataset}/selected_tiles.pdf",
        svg="results/figures/{dataset}/selected_tiles.svg",
        png=report(
            "results/figures/{dataset}/selected_tiles.png",
            caption="../workflow/report/selected_tiles.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Best and worst tiles", "protocol": "any"},
        ),
    log:
        "logs/plot_selected_tiles/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("selected")),
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        code=code_digest("reporting.figures.selection"),
    message:
        "Drawing the best and the worst images of {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_selected_tiles.py"


rule permute_labels:
    input:
        images=base_file("images.npy"),
        manifest=base_file("manifest.tsv"),
        summary=base_file("dataset.json"),
        duplicates=base_file("duplicates.tsv"),
        groups=base_file("groups.tsv"),
    output:
        images="results/datasets/{dataset}/images.npy",
        manifest="results/datasets/{dataset}/manifest.tsv",
        rejected="results/datasets/{dataset}/rejected.tsv",
        summary="results/datasets/{dataset}/dataset.json",
        duplicates="results/datasets/{dataset}/duplicates.tsv",
        groups="results/datasets/{dataset}/groups.tsv",
    log:
        "logs/permute_labels/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("permuted")),
    conda:
        "../envs/datasets.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="20m",
    params:
        dataset=derived_settings("title", "format", "of", "permute_among"),
        seed=config["seed"],
        code=code_digest("datasets.derived"),
    message:
        "Permuting labels: {wildcards.dataset}"
    script:
        "../workflow/scripts/permute_labels.py"


rule tabulate_canaries:
    input:
        metrics=canary_files("metrics.tsv"),
        intervals=canary_files("intervals.tsv"),
    output:
        table_files(
            "canaries",
            caption="../workflow/report/canaries.rst",
            category="Audit",
            subcategory="Canaries",
            labels={"table": "Results on permuted labels"},
        ),
    log:
        "logs/tabulate_canaries.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        runs=CANARIES,
        code=code_digest("reporting.tables.canaries"),
    message:
        "Tabulating the results on permuted labels"
    script:
        "../workflow/scripts/tabulate_canaries.py"
