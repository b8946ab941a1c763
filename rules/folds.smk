rule assign_folds:
    input:
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
        removed=experiment.inputs.removed_duplicates,
    output:
        folds="<results>/folds/{dataset}/{protocol}.tsv",
    log:
        "<logs>/assign_folds/{dataset}/{protocol}.log",
    priority: CHECKED_FIRST
    conda:
        "../envs/folds.yaml"
    resources:
        mem_mb=memory(2000, of_tables=60),
        runtime=run_time(20, of_tables=1),
    params:
        protocol=experiment.inputs.protocol_settings,
        seed=config["seed"],
        packages=pinned("folds", "numpy", "scikit-learn"),
        code=code_digest("assign_folds"),
    message:
        "Splitting {wildcards.dataset} by {wildcards.protocol}"
    script:
        "../workflow/scripts/assign_folds.py"


rule audit_split:
    input:
        folds="<results>/folds/{dataset}/{protocol}.tsv",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
        duplicates="<results>/datasets/{dataset}/duplicates.tsv",
        # What its models learn from elsewhere, and external test sets.
        tested=experiment.identity.tested,
        learnt=experiment.identity.learnt,
        pairs=experiment.identity.pairs,
        locked=experiment.identity.locked,
    output:
        summary="<results>/folds/{dataset}/{protocol}.leakage.tsv",
        crossings="<results>/folds/{dataset}/{protocol}.crossings.tsv",
        identity="<results>/folds/{dataset}/{protocol}.identity.tsv",
    log:
        "<logs>/audit_split/{dataset}/{protocol}.log",
    priority: CHECKED_FIRST
    conda:
        "../envs/datasets.yaml"
    resources:
        mem_mb=memory(2000, of_tables=60),
        runtime=run_time(20, of_tables=1),
    params:
        leakage=experiment.inputs.leakage_rule,
        independent=experiment.inputs.independent_images,
        comparisons=experiment.identity.of_split,
        code=code_digest("audit_split"),
    message:
        "Looking for leakage in {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/audit_split.py"


# Two data sets that one model learns from and is tested on.
rule compare_datasets:
    input:
        learnt_images="<results>/datasets/{dataset}/images.npy",
        learnt_manifest="<results>/datasets/{dataset}/manifest.tsv",
        tested_images="<results>/datasets/{external}/images.npy",
        tested_manifest="<results>/datasets/{external}/manifest.tsv",
    output:
        pairs="<results>/datasets/{dataset}/shared_with/{external}.tsv",
    log:
        "<logs>/compare_datasets/{dataset}/{external}.log",
    benchmark:
        "<benchmarks>/compare_datasets/{dataset}/{external}.tsv"
    priority: CHECKED_FIRST
    conda:
        "../envs/datasets.yaml"
    threads: IMAGE_THREADS
    resources:
        mem_mb=memory(2000, of_tables=60, of_arrays=2.5),
        runtime=run_time(30, of_arrays=0.1),
    params:
        duplicates=experiment.inputs.tested_duplicates,
        code=code_digest("compare_datasets"),
    message:
        "Looking for images of {wildcards.dataset} in {wildcards.external}"
    script:
        "../workflow/scripts/compare_datasets.py"


# One job for all folds of a split, because starting Python takes longer than averaging.
rule compute_mean_images:
    input:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
    output:
        mean_images="<results>/mean_images/{dataset}/{protocol}.npy",
        records="<results>/mean_images/{dataset}/{protocol}.json",
    log:
        "<logs>/compute_mean_images/{dataset}/{protocol}.log",
    priority: TRAINED_EARLY
    conda:
        "../envs/folds.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(30, of_arrays=0.05),
    params:
        code=code_digest("compute_mean_images"),
    message:
        "Averaging the training images of {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/compute_mean_images.py"
