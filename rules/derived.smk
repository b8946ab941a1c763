rule grow_dataset:
    input:
        images=experiment.inputs.of_base("images.npy"),
        manifest=experiment.inputs.of_base("manifest.tsv"),
        summary=experiment.inputs.of_base("dataset.json"),
        removed=experiment.inputs.removed_before_growing,
    output:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        rejected="<results>/datasets/{dataset}/rejected.tsv",
        summary="<results>/datasets/{dataset}/dataset.json",
    log:
        "<logs>/grow_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/grow_dataset/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(experiment.inputs.of_format("grown")),
    priority: CHECKED_FIRST
    conda:
        "../envs/training.yaml"
    threads: min(2, IMAGE_THREADS)
    resources:
        mem_mb=memory(3000, of_tables=60),
        runtime=run_time(60, of_arrays=0.05),
    params:
        dataset=experiment.inputs.entry("format", "of", "grow"),
        seed=config["seed"],
        packages=pinned("training", "keras", "numpy", "tensorflow"),
        code=code_digest("grow_dataset"),
    message:
        "Growing {wildcards.dataset} by augmented copies"
    script:
        "../workflow/scripts/grow_dataset.py"


rule select_tiles:
    input:
        images=experiment.inputs.of_base("images.npy"),
        manifest=experiment.inputs.of_base("manifest.tsv"),
        summary=experiment.inputs.of_base("dataset.json"),
        features=experiment.training.selection_features,
    output:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        rejected="<results>/datasets/{dataset}/rejected.tsv",
        summary="<results>/datasets/{dataset}/dataset.json",
        tiles="<results>/datasets/{dataset}/tiles_selected.tsv",
    log:
        "<logs>/select_tiles/{dataset}.log",
    benchmark:
        "<benchmarks>/select_tiles/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(experiment.inputs.of_format("selected")),
    conda:
        "../envs/folds.yaml"
    threads: min(2, IMAGE_THREADS)
    resources:
        mem_mb=memory(4000, of_tables=60, of_arrays=2),
        runtime=run_time(120, of_arrays=0.05),
    params:
        dataset=experiment.inputs.entry("format", "of", "select"),
        seed=config["seed"],
        packages=pinned("folds", "numpy", "scikit-learn"),
        code=code_digest("select_tiles"),
    message:
        "Choosing the images of {wildcards.dataset}"
    script:
        "../workflow/scripts/select_tiles.py"


rule plot_selected_tiles:
    input:
        images=experiment.inputs.of_base("images.npy"),
        tiles="<results>/datasets/{dataset}/tiles_selected.tsv",
    output:
        figure_files(
            "{dataset}/selected_tiles",
            shown="png",
            where="scored datasets",
            caption="../workflow/report/selected_tiles.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Best and worst tiles", "protocol": "any"},
        ),
    log:
        "<logs>/plot_selected_tiles/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(experiment.inputs.of_format("selected")),
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        code=code_digest("plot_selected_tiles"),
    message:
        "Drawing the best and the worst images of {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_selected_tiles.py"


rule permute_labels:
    input:
        images=experiment.inputs.of_base("images.npy"),
        manifest=experiment.inputs.of_base("manifest.tsv"),
        summary=experiment.inputs.of_base("dataset.json"),
        duplicates=experiment.inputs.of_base("duplicates.tsv"),
        groups=experiment.inputs.of_base("groups.tsv"),
    output:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        rejected="<results>/datasets/{dataset}/rejected.tsv",
        summary="<results>/datasets/{dataset}/dataset.json",
        duplicates="<results>/datasets/{dataset}/duplicates.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
    log:
        "<logs>/permute_labels/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(experiment.inputs.of_format("permuted")),
    priority: CHECKED_FIRST
    conda:
        "../envs/datasets.yaml"
    resources:
        mem_mb=memory(2000, of_tables=60),
        runtime=run_time(20),
    params:
        dataset=experiment.inputs.entry("format", "of", "permute_among"),
        seed=config["seed"],
        code=code_digest("permute_labels"),
    message:
        "Permuting labels: {wildcards.dataset}"
    script:
        "../workflow/scripts/permute_labels.py"


rule describe_permutations:
    input:
        permutations=experiment.files.filled(
            "permutations/{dataset}/{protocol}/{model}.tsv", experiment.runs.permuted
        ),
    output:
        tests="<results>/evaluation/permutation_tests.tsv",
        results="<results>/evaluation/permutations.tsv",
        table=table_files(
            "permutations",
            where="permutations",
            caption="../workflow/report/permutations.rst",
            category="Audit",
            subcategory="Canaries",
            labels={"table": "Permutation tests"},
        ),
        figure=figure_files(
            "permutations",
            where="permutations",
            caption="../workflow/report/permutations.rst",
            category="Audit",
            subcategory="Canaries",
            labels={"figure": "AUC on permuted labels"},
        ),
    log:
        "<logs>/describe_permutations.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        runs=experiment.runs.permuted,
        seed=config["seed"],
        code=code_digest("describe_permutations"),
    message:
        "Comparing the results on true and on permuted labels"
    script:
        "../workflow/scripts/describe_permutations.py"


rule tabulate_canaries:
    input:
        metrics=experiment.files.filled(
            "evaluation/{run}/{protocol}/{model}/metrics.tsv", experiment.runs.canaries
        ),
        intervals=experiment.files.filled(
            "evaluation/{run}/{protocol}/{model}/intervals.tsv", experiment.runs.canaries
        ),
    output:
        table_files(
            "canaries",
            where="canaries",
            caption="../workflow/report/canaries.rst",
            category="Audit",
            subcategory="Canaries",
            labels={"table": "Results on permuted labels"},
        ),
    log:
        "<logs>/tabulate_canaries.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        runs=experiment.runs.canaries,
        code=code_digest("tabulate_canaries"),
    message:
        "Tabulating the results on permuted labels"
    script:
        "../workflow/scripts/tabulate_canaries.py"
