rule apply_models:
    input:
        models=experiment.files.networks_of_run,
        images="<results>/datasets/{external}/images.npy",
        manifest="<results>/datasets/{external}/manifest.tsv",
        dataset="<results>/datasets/{external}/dataset.json",
        trained="<results>/datasets/{dataset}/dataset.json",
    output:
        predictions="<results>/external/{dataset}/{protocol}/{model}/{external}/predictions.tsv",
        networks="<results>/external/{dataset}/{protocol}/{model}/{external}/networks.tsv",
        record="<results>/external/{dataset}/{protocol}/{model}/{external}/record.json",
    log:
        "<logs>/apply_models/{dataset}/{protocol}/{model}/{external}.log",
    benchmark:
        "<benchmarks>/apply_models/{dataset}/{protocol}/{model}/{external}.tsv"
    conda:
        "../envs/training.yaml"
    threads: TRAINING_THREADS
    resources:
        gpu=int(TRAINS_ON_GPU),
        mem_mb=memory(14000, of_arrays=1.2),
        runtime=training_time(experiment.training.application_passes, TRAINS_ON_GPU, base=120),
    params:
        job=experiment.training.application_job,
        repeats=experiment.training.repeats,
        place=experiment.training.place,
        positive=experiment.inputs.positive_classes,
        packages=pinned("training", "keras", "numpy", "tensorflow"),
        code=code_digest("apply_models"),
    message:
        "Testing {wildcards.model} of {wildcards.dataset}, {wildcards.protocol} on {wildcards.external}"
    script:
        "../workflow/scripts/apply_models.py"


rule estimate_external_intervals:
    input:
        predictions=["<results>/external/{dataset}/{protocol}/{model}/{external}/predictions.tsv"],
        groups="<results>/datasets/{external}/groups.tsv",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
    output:
        intervals="<results>/external/{dataset}/{protocol}/{model}/{external}/intervals.tsv",
    log:
        "<logs>/estimate_external_intervals/{dataset}/{protocol}/{model}/{external}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=150),
        runtime=run_time(30, of_tables=5),
    params:
        seed=config["seed"],
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("estimate_intervals"),
    message:
        "Estimating the intervals of {wildcards.model} of {wildcards.dataset} on {wildcards.external}"
    script:
        "../workflow/scripts/estimate_intervals.py"


# The same networks one by one, to be compared with the single networks of the cross-validation.
rule estimate_network_intervals:
    input:
        predictions=["<results>/external/{dataset}/{protocol}/{model}/{external}/networks.tsv"],
        groups="<results>/datasets/{external}/groups.tsv",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
    output:
        intervals="<results>/external/{dataset}/{protocol}/{model}/{external}/network_intervals.tsv",
    log:
        "<logs>/estimate_network_intervals/{dataset}/{protocol}/{model}/{external}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=150),
        runtime=run_time(30, of_tables=5),
    params:
        seed=config["seed"],
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("estimate_intervals"),
    message:
        "Estimating the intervals of single networks of {wildcards.dataset} on {wildcards.external}"
    script:
        "../workflow/scripts/estimate_intervals.py"


rule describe_external_test:
    input:
        internal=experiment.files.filled(
            "evaluation/{dataset}/{protocol}/{model}/intervals.tsv", experiment.runs.external
        ),
        single=experiment.targets.external("network_intervals.tsv"),
        external=experiment.targets.external("intervals.tsv"),
        records=experiment.targets.external("record.json"),
    output:
        table=table_files(
            "external_test",
            where="external tests",
            caption="../workflow/report/external_test.rst",
            category="Comparison",
            subcategory="External test",
            labels={"show": "External test (table)"},
        ),
        figure=figure_files(
            "external_test",
            where="external tests",
            shown="png",
            caption="../workflow/report/external_test.rst",
            category="Comparison",
            subcategory="External test",
            labels={"show": "External test (figure)"},
        ),
    log:
        "<logs>/describe_external_test.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        runs=experiment.runs.external,
        code=code_digest("describe_external_test"),
    message:
        "Describing the external tests"
    script:
        "../workflow/scripts/describe_external_test.py"


# All classes at once, where the networks know more than two.
rule evaluate_external_classes:
    input:
        predictions="<results>/external/{dataset}/{protocol}/{model}/{external}/predictions.tsv",
        networks="<results>/external/{dataset}/{protocol}/{model}/{external}/networks.tsv",
        groups="<results>/datasets/{external}/groups.tsv",
    output:
        class_metrics="<results>/external/{dataset}/{protocol}/{model}/{external}/class_metrics.tsv",
        class_confusion="<results>/external/{dataset}/{protocol}/{model}/{external}/class_confusion.tsv",
        class_curves="<results>/external/{dataset}/{protocol}/{model}/{external}/class_curves.tsv",
        network_class_metrics="<results>/external/{dataset}/{protocol}/{model}/{external}/network_class_metrics.tsv",
    log:
        "<logs>/evaluate_external_classes/{dataset}/{protocol}/{model}/{external}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=300),
        runtime=run_time(60, of_tables=5),
    params:
        seed=config["seed"],
        ordered=experiment.shown.ordered,
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("evaluate_external_classes"),
    message:
        "Evaluating all classes by {wildcards.model} of {wildcards.dataset} on {wildcards.external}"
    script:
        "../workflow/scripts/evaluate_external_classes.py"


rule describe_external_classes:
    input:
        metrics="<results>/external/{dataset}/{protocol}/{model}/{external}/class_metrics.tsv",
        confusion="<results>/external/{dataset}/{protocol}/{model}/{external}/class_confusion.tsv",
        predictions="<results>/external/{dataset}/{protocol}/{model}/{external}/predictions.tsv",
        record="<results>/external/{dataset}/{protocol}/{model}/{external}/record.json",
    output:
        classes=table_files(
            "{dataset}/{protocol}/{model}/classes_elsewhere/{external}",
            where="runs of many classes elsewhere",
            caption="../workflow/report/classes_elsewhere.rst",
            category="Comparison",
            subcategory="External test",
            labels={"show": "Each class on {external}", "model": "{model}"},
        ),
        confusion=figure_files(
            "{dataset}/{protocol}/{model}/confusion_elsewhere/{external}",
            where="runs of many classes elsewhere",
            caption="../workflow/report/confusion_elsewhere.rst",
            category="Comparison",
            subcategory="External test",
            labels={"show": "Confusion of classes on {external}", "model": "{model}"},
        ),
    log:
        "<logs>/describe_external_classes/{dataset}/{protocol}/{model}/{external}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        title=experiment.shown.external_title,
        code=code_digest("describe_external_classes"),
    message:
        "Describing every class by {wildcards.model} of {wildcards.dataset} on {wildcards.external}"
    script:
        "../workflow/scripts/describe_external_classes.py"


rule describe_external_class_results:
    input:
        internal=experiment.files.filled(
            "evaluation/{dataset}/{protocol}/{model}/class_metrics.tsv",
            experiment.runs.external_classed,
        ),
        single=experiment.targets.of_external_classes("network_class_metrics.tsv"),
        external=experiment.targets.of_external_classes("class_metrics.tsv"),
        records=experiment.targets.of_external_classes("record.json"),
    output:
        table=table_files(
            "external_classes",
            where="external tests of many classes",
            caption="../workflow/report/external_classes.rst",
            category="Comparison",
            subcategory="External test",
            labels={"show": "External test over all classes (table)"},
        ),
        figure=figure_files(
            "external_classes",
            where="external tests of many classes",
            shown="png",
            caption="../workflow/report/external_classes.rst",
            category="Comparison",
            subcategory="External test",
            labels={"show": "External test over all classes (figure)"},
        ),
    log:
        "<logs>/describe_external_class_results.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        runs=experiment.runs.external_classed,
        code=code_digest("describe_external_class_results"),
    message:
        "Describing the external tests over all classes"
    script:
        "../workflow/scripts/describe_external_class_results.py"
