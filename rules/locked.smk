# A part of a data set that nothing but `snakemake locked_test` uses.


# The open part takes the name of the data set: all other rules know no other image.
rule lock_part:
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
        locked="<results>/datasets/{dataset}/locked.tsv",
    log:
        "<logs>/lock_part/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(experiment.inputs.of_format("open")),
    priority: CHECKED_FIRST
    conda:
        "../envs/folds.yaml"
    resources:
        mem_mb=memory(2000, of_tables=60),
        runtime=run_time(20, of_arrays=0.05),
    params:
        settings=experiment.inputs.part_settings,
        seed=config["seed"],
        packages=pinned("folds", "numpy", "scikit-learn"),
        code=code_digest("lock_part"),
    message:
        "Locking a part of {wildcards.dataset} away"
    script:
        "../workflow/scripts/lock_part.py"


# Written before any locked image is taken, and only when all networks and their results are there.
rule open_locked_test:
    input:
        networks=experiment.locked.networks,
        evaluations=experiment.locked.evaluations,
        locked="<results>/datasets/{dataset}/locked.tsv",
    output:
        opening="<results>/locked_test/{dataset}/opening.json",
    log:
        "<logs>/open_locked_test/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(experiment.inputs.of_format("open")),
    conda:
        "../envs/folds.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        # Namespaces are not compared: another commit alone opens nothing.
        place=experiment.locked.place,
        repository=lambda wildcards: SimpleNamespace(**repository_state(ROOT)),
    message:
        "Opening the locked test set of {wildcards.dataset}"
    script:
        "../workflow/scripts/open_locked_test.py"


rule take_locked_part:
    input:
        images=experiment.inputs.of_base("images.npy"),
        manifest=experiment.inputs.of_base("manifest.tsv"),
        summary=experiment.inputs.of_base("dataset.json"),
        duplicates=experiment.inputs.of_base("duplicates.tsv"),
        groups=experiment.inputs.of_base("groups.tsv"),
        locked=experiment.locked.chosen,
        opening=experiment.locked.opened,
    output:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        rejected="<results>/datasets/{dataset}/rejected.tsv",
        summary="<results>/datasets/{dataset}/dataset.json",
        duplicates="<results>/datasets/{dataset}/duplicates.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
    log:
        "<logs>/take_locked_part/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(experiment.inputs.of_format("locked")),
    conda:
        "../envs/folds.yaml"
    resources:
        mem_mb=memory(2000, of_tables=60),
        runtime=run_time(20, of_arrays=0.05),
    params:
        settings=experiment.inputs.part_settings,
        code=code_digest("take_locked_part"),
    message:
        "Taking the locked images: {wildcards.dataset}"
    script:
        "../workflow/scripts/take_locked_part.py"


rule describe_locked_test:
    input:
        internal=experiment.files.filled(
            "evaluation/{dataset}/{protocol}/{model}/intervals.tsv", experiment.locked.described
        ),
        single=experiment.locked.of_runs("network_intervals.tsv"),
        external=experiment.locked.of_runs("intervals.tsv"),
        openings=experiment.locked.openings,
    output:
        results=locked_tables("results", "Locked test"),
        openings=locked_tables("openings", "Openings of the locked test"),
    log:
        "<logs>/describe_locked_test.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        runs=experiment.locked.described,
        records=experiment.locked.records,
        titles=experiment.runs.titles["dataset"],
        code=code_digest("describe_locked_test"),
    message:
        "Describing the locked test"
    script:
        "../workflow/scripts/describe_locked_test.py"
