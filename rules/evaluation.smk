# Metrics, intervals, curves, calibration and tests, from stored predictions alone.


rule evaluate_model:
    input:
        predictions=experiment.files.of_training("predictions.tsv"),
        runs=experiment.files.records_of_training,
        histories=experiment.files.of_training("history.tsv"),
        layers=experiment.files.layers_of_training,
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
    output:
        # Of all folds: later rules read one file per model, for any number of folds.
        predictions="<results>/evaluation/{dataset}/{protocol}/{model}/predictions.tsv",
        runs="<results>/evaluation/{dataset}/{protocol}/{model}/runs.json",
        history="<results>/evaluation/{dataset}/{protocol}/{model}/history.tsv",
        layers="<results>/evaluation/{dataset}/{protocol}/{model}/layers.tsv",
        metrics="<results>/evaluation/{dataset}/{protocol}/{model}/metrics.tsv",
        confusion="<results>/evaluation/{dataset}/{protocol}/{model}/confusion.tsv",
        roc="<results>/evaluation/{dataset}/{protocol}/{model}/roc.tsv",
        precision_recall="<results>/evaluation/{dataset}/{protocol}/{model}/precision_recall.tsv",
        report="<results>/evaluation/{dataset}/{protocol}/{model}/report.tsv",
        intervals=reported(
            "<results>/evaluation/{dataset}/{protocol}/{model}/intervals.tsv",
            caption="../workflow/report/intervals.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Intervals (table)", "protocol": "{protocol}", "model": "{model}"},
        ),
        roc_band="<results>/evaluation/{dataset}/{protocol}/{model}/roc_band.tsv",
        calibration="<results>/evaluation/{dataset}/{protocol}/{model}/calibration.tsv",
        reliability="<results>/evaluation/{dataset}/{protocol}/{model}/reliability.tsv",
        operating_points="<results>/evaluation/{dataset}/{protocol}/{model}/operating_points.tsv",
        risk_coverage="<results>/evaluation/{dataset}/{protocol}/{model}/risk_coverage.tsv",
        predictive_values="<results>/evaluation/{dataset}/{protocol}/{model}/predictive_values.tsv",
        decision_curve="<results>/evaluation/{dataset}/{protocol}/{model}/decision_curve.tsv",
        fitted="<results>/evaluation/{dataset}/{protocol}/{model}/fitted.json",
        subjects="<results>/evaluation/{dataset}/{protocol}/{model}/subjects.tsv",
        subject_metrics="<results>/evaluation/{dataset}/{protocol}/{model}/subject_metrics.tsv",
    log:
        "<logs>/evaluate_model/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=150),
        runtime=run_time(60, of_tables=5),
    params:
        seed=config["seed"],
        prevalence=config["prevalence"],
        positive=experiment.inputs.positive_classes,
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("evaluate_model"),
    message:
        "Evaluating {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/evaluate_model.py"


# All classes at once, where a data set has more than two.
rule evaluate_classes:
    input:
        predictions="<results>/evaluation/{dataset}/{protocol}/{model}/predictions.tsv",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
    output:
        class_metrics="<results>/evaluation/{dataset}/{protocol}/{model}/class_metrics.tsv",
        class_confusion="<results>/evaluation/{dataset}/{protocol}/{model}/class_confusion.tsv",
        class_curves="<results>/evaluation/{dataset}/{protocol}/{model}/class_curves.tsv",
        class_calibration="<results>/evaluation/{dataset}/{protocol}/{model}/class_calibration.tsv",
        class_reliability="<results>/evaluation/{dataset}/{protocol}/{model}/class_reliability.tsv",
        class_risk_coverage="<results>/evaluation/{dataset}/{protocol}/{model}/class_risk_coverage.tsv",
        class_subjects="<results>/evaluation/{dataset}/{protocol}/{model}/class_subjects.tsv",
        class_subject_metrics="<results>/evaluation/{dataset}/{protocol}/{model}/class_subject_metrics.tsv",
    log:
        "<logs>/evaluate_classes/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=300),
        runtime=run_time(60, of_tables=5),
    params:
        seed=config["seed"],
        ordered=experiment.shown.ordered,
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("evaluate_classes"),
    message:
        "Evaluating all classes by {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/evaluate_classes.py"


rule compare_classes:
    input:
        predictions=experiment.files.of_models("predictions.tsv"),
        groups="<results>/datasets/{dataset}/groups.tsv",
    output:
        comparisons="<results>/evaluation/{dataset}/{protocol}/class_comparisons.tsv",
    log:
        "<logs>/compare_classes/{dataset}/{protocol}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=300),
        runtime=run_time(60, of_tables=5),
    params:
        models=experiment.shown.models,
        ordered=experiment.shown.ordered,
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("compare_classes"),
    message:
        "Comparing all classes by the models on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/compare_classes.py"


rule estimate_leak_contrast:
    input:
        predictions=experiment.files.of_arms(
            "evaluation/{dataset}/{protocol}/{model}/predictions.tsv"
        ),
        groups="<results>/datasets/{dataset}/groups.tsv",
    output:
        contrast="<results>/evaluation/{dataset}/leak_contrast.tsv",
    log:
        "<logs>/estimate_leak_contrast/{dataset}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=150),
        runtime=run_time(30, of_tables=5),
    params:
        contrasts=experiment.shown.contrasts,
        primary=experiment.shown.primary,
        family=experiment.runs.declared,
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("estimate_leak_contrast"),
    message:
        "Estimating the effect of leaked images on {wildcards.dataset}"
    script:
        "../workflow/scripts/estimate_leak_contrast.py"


# Four classifiers of a few plain numbers per image, fitted in every fold in a second.
rule estimate_baselines:
    input:
        measures="<results>/datasets/{dataset}/measures.tsv",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
        predictions=experiment.files.of_models("predictions.tsv"),
    output:
        predictions=experiment.files.baseline_outputs("predictions.tsv"),
        metrics=experiment.files.baseline_outputs("metrics.tsv"),
        intervals=experiment.files.baseline_outputs("intervals.tsv"),
        differences="<results>/baselines/{dataset}/{protocol}/differences.tsv",
    log:
        "<logs>/estimate_baselines/{dataset}/{protocol}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=150),
        runtime=run_time(60, of_tables=5),
    params:
        models=experiment.shown.models,
        positive=experiment.inputs.positive_classes,
        packages=pinned("evaluation", "numpy", "scikit-learn", "scipy", "statsmodels"),
        code=code_digest("estimate_baselines"),
    message:
        "Fitting trivial baselines on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/estimate_baselines.py"


rule compare_models:
    input:
        predictions=experiment.files.of_models("predictions.tsv"),
        groups="<results>/datasets/{dataset}/groups.tsv",
        folds="<results>/folds/{dataset}/{protocol}.tsv",
    output:
        comparisons="<results>/evaluation/{dataset}/{protocol}/comparisons.tsv",
    log:
        "<logs>/compare_models/{dataset}/{protocol}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=150),
        runtime=run_time(60, of_tables=5),
    params:
        models=experiment.shown.models,
        seed=config["seed"],
        primary=experiment.shown.primary,
        family=experiment.runs.declared,
        packages=pinned("evaluation", "numpy", "scipy", "statsmodels"),
        code=code_digest("compare_models"),
    message:
        "Comparing the models on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/compare_models.py"


rule estimate_protocol_gap:
    input:
        predictions=experiment.files.of_runs("predictions.tsv", experiment.runs.gap_of),
        groups="<results>/datasets/{dataset}/groups.tsv",
    output:
        gap="<results>/evaluation/{dataset}/protocol_gap.tsv",
    log:
        "<logs>/estimate_protocol_gap/{dataset}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=150),
        runtime=run_time(30, of_tables=5),
    params:
        runs=experiment.shown.grouped(experiment.runs.gap_of),
        primary=experiment.shown.primary,
        family=experiment.runs.declared,
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("estimate_protocol_gap"),
    message:
        "Estimating the gap between the protocols of {wildcards.dataset}"
    script:
        "../workflow/scripts/estimate_protocol_gap.py"


rule estimate_variance_components:
    input:
        predictions=experiment.files.of_runs("predictions.tsv", experiment.runs.repeated_of),
        groups="<results>/datasets/{dataset}/groups.tsv",
    output:
        components="<results>/evaluation/{dataset}/variance_components.tsv",
    log:
        "<logs>/estimate_variance_components/{dataset}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=150),
        runtime=run_time(30, of_tables=5),
    params:
        runs=experiment.shown.repeated,
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("estimate_variance_components"),
    message:
        "Separating the variance of seeds, splits and subjects on {wildcards.dataset}"
    script:
        "../workflow/scripts/estimate_variance_components.py"


# Every configuration of the models whose settings are chosen on validation images.
rule tabulate_tuning:
    input:
        records=experiment.files.filled(
            "evaluation/{dataset}/{protocol}/{model}/runs.json", experiment.runs.tuned
        ),
    output:
        table_files(
            "tuning",
            where="tuned models",
            caption="../workflow/report/tuning.rst",
            category="Training",
            labels={"table": "Chosen settings"},
        ),
    log:
        "<logs>/tabulate_tuning.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        runs=experiment.runs.tuned,
        code=code_digest("tabulate_tuning"),
    message:
        "Tabulating the settings that were chosen"
    script:
        "../workflow/scripts/tabulate_tuning.py"
