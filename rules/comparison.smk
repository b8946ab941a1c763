# Tables and figures: everything about one data set, one model under one protocol, one protocol or
# the whole experiment is written by one job, because starting Python takes longer than drawing.


rule describe_dataset:
    input:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        duplicates="<results>/datasets/{dataset}/duplicates.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
    output:
        example_images=figure_files(
            "{dataset}/example_images",
            shown="png",
            caption="../workflow/report/example_images.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Example images", "protocol": "any"},
        ),
        class_distribution=figure_files(
            "{dataset}/class_distribution",
            caption="../workflow/report/class_distribution.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Class distribution", "protocol": "any"},
        ),
        duplicates=figure_files(
            "{dataset}/duplicates",
            shown="png",
            caption="../workflow/report/duplicates.rst",
            category="Audit",
            subcategory="{dataset}",
            labels={"show": "Duplicates (figure)"},
        ),
        duplicates_table=table_files(
            "{dataset}/duplicates",
            caption="../workflow/report/duplicates_table.rst",
            category="Audit",
            subcategory="{dataset}",
            labels={"show": "Duplicates (table)"},
        ),
    log:
        "<logs>/describe_dataset/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        title=experiment.shown.title,
        code=code_digest("describe_dataset"),
    message:
        "Describing {wildcards.dataset}"
    script:
        "../workflow/scripts/describe_dataset.py"


rule plot_augmented_images:
    input:
        samples="<results>/datasets/{dataset}/augmented_samples.npz",
    output:
        figure_files(
            "{dataset}/augmented_images",
            where="original datasets",
            shown="png",
            caption="../workflow/report/augmented_images.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Augmented images", "protocol": "any"},
        ),
    log:
        "<logs>/plot_augmented_images/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        code=code_digest("plot_augmented_images"),
    message:
        "Drawing augmented images of {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_augmented_images.py"


rule describe_splits:
    input:
        descriptions=experiment.files.of_datasets(
            "dataset.json", experiment.runs.described_datasets
        ),
        # With what is locked away: files are counted as a whole.
        imported=experiment.files.of_datasets(
            "dataset.json", experiment.inputs.as_imported(experiment.runs.described_datasets)
        ),
        folds=experiment.files.of_splits("tsv"),
        leakage=experiment.files.of_splits("leakage.tsv"),
    output:
        datasets=table_files(
            "datasets",
            caption="../workflow/report/datasets.rst",
            category="Data sets",
            subcategory="All data sets",
            labels={"table": "Characteristics"},
        ),
        imports=table_files(
            "imports",
            caption="../workflow/report/imports.rst",
            category="Data sets",
            subcategory="All data sets",
            labels={"table": "Imported files"},
        ),
        splits=table_files(
            "splits",
            caption="../workflow/report/splits.rst",
            category="Data sets",
            subcategory="All data sets",
            labels={"table": "Splits"},
        ),
        leakage=table_files(
            "leakage",
            caption="../workflow/report/leakage.rst",
            category="Audit",
            subcategory="All data sets",
            labels={"show": "Leakage (table)"},
        ),
        leakage_figure=figure_files(
            "leakage",
            caption="../workflow/report/leakage_figure.rst",
            category="Audit",
            subcategory="All data sets",
            labels={"show": "Leakage (figure)"},
        ),
    log:
        "<logs>/describe_splits.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        datasets=experiment.runs.true_datasets,
        splits=experiment.shown.true_splits,
        titles=experiment.runs.titles,
        expected=experiment.inputs.expected,
        code=code_digest("describe_splits"),
    message:
        "Describing the data sets, their splits and what crosses them"
    script:
        "../workflow/scripts/describe_splits.py"


rule plot_architecture:
    input:
        layers=experiment.files.layers,
    output:
        figure_files(
            "{dataset}/architectures/{model}",
            caption="../workflow/report/architecture.rst",
            category="Training",
            subcategory="{dataset}",
            labels={"figure": "Schematic", "protocol": "any", "model": "{model}"},
        ),
    log:
        "<logs>/plot_architecture/{dataset}/{model}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        image_size=experiment.inputs.key("image_size"),
        title=experiment.shown.model_title,
        code=code_digest("plot_architecture"),
    message:
        "Drawing the schematic of {wildcards.model}"
    script:
        "../workflow/scripts/plot_architecture.py"


rule describe_model:
    input:
        metrics="<results>/evaluation/{dataset}/{protocol}/{model}/metrics.tsv",
        confusion="<results>/evaluation/{dataset}/{protocol}/{model}/confusion.tsv",
        report="<results>/evaluation/{dataset}/{protocol}/{model}/report.tsv",
        history="<results>/evaluation/{dataset}/{protocol}/{model}/history.tsv",
        subjects="<results>/evaluation/{dataset}/{protocol}/{model}/subjects.tsv",
        predictions="<results>/evaluation/{dataset}/{protocol}/{model}/predictions.tsv",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
    output:
        performance=table_files(
            "{dataset}/{protocol}/{model}",
            caption="../workflow/report/performance.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Performance (table)", "protocol": "{protocol}", "model": "{model}"},
        ),
        report=table_files(
            "{dataset}/{protocol}/{model}/classification_report",
            caption="../workflow/report/classification_report.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Classification report", "protocol": "{protocol}", "model": "{model}"},
        ),
        confusion_matrix=figure_files(
            "{dataset}/{protocol}/{model}/confusion_matrix",
            caption="../workflow/report/confusion_matrix.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Confusion matrix", "protocol": "{protocol}", "model": "{model}"},
        ),
        subjects=figure_files(
            "{dataset}/{protocol}/{model}/subjects",
            caption="../workflow/report/subjects.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Subjects (figure)", "protocol": "{protocol}", "model": "{model}"},
        ),
        subjects_table=table_files(
            "{dataset}/{protocol}/{model}/subjects",
            caption="../workflow/report/subjects_table.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Subjects (table)", "protocol": "{protocol}", "model": "{model}"},
        ),
        training_curves=figure_files(
            "{dataset}/{protocol}/{model}/training_curves",
            caption="../workflow/report/training_curves.rst",
            category="Training",
            subcategory="{dataset}",
            labels={"figure": "Training curves", "protocol": "{protocol}", "model": "{model}"},
        ),
    log:
        "<logs>/describe_model/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        title=experiment.readings.title,
        code=code_digest("describe_model"),
    message:
        "Describing {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/describe_model.py"


rule describe_protocol:
    input:
        mean_images="<results>/mean_images/{dataset}/{protocol}.npy",
        roc=experiment.files.of_models("roc.tsv"),
        roc_bands=experiment.files.of_models("roc_band.tsv"),
        metrics=experiment.files.of_models("metrics.tsv"),
        precision_recall=experiment.files.of_models("precision_recall.tsv"),
        confusions=experiment.files.of_models("confusion.tsv"),
        reliabilities=experiment.files.of_models("reliability.tsv"),
        calibrations=experiment.files.of_models("calibration.tsv"),
        risk_coverage=experiment.files.of_models("risk_coverage.tsv"),
        operating_points=experiment.files.of_models("operating_points.tsv"),
        predictive_values=experiment.files.of_models("predictive_values.tsv"),
        decision_curves=experiment.files.of_models("decision_curve.tsv"),
    output:
        mean_images=figure_files(
            "{dataset}/{protocol}/mean_images",
            shown="png",
            caption="../workflow/report/mean_images.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"figure": "Mean images", "protocol": "{protocol}"},
        ),
        roc=figure_files(
            "{dataset}/{protocol}/roc",
            caption="../workflow/report/roc.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "ROC curves", "protocol": "{protocol}", "model": "all"},
        ),
        precision_recall=figure_files(
            "{dataset}/{protocol}/precision_recall",
            caption="../workflow/report/precision_recall.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Precision-recall curves", "protocol": "{protocol}", "model": "all"},
        ),
        reliability=figure_files(
            "{dataset}/{protocol}/calibration",
            caption="../workflow/report/calibration.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Reliability diagrams", "protocol": "{protocol}", "model": "all"},
        ),
        risk_coverage=figure_files(
            "{dataset}/{protocol}/risk_coverage",
            caption="../workflow/report/risk_coverage.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Risk-coverage curves", "protocol": "{protocol}", "model": "all"},
        ),
        calibration=table_files(
            "{dataset}/{protocol}/calibration",
            caption="../workflow/report/calibration_table.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Calibration (table)", "protocol": "{protocol}", "model": "all"},
        ),
        operating_points=table_files(
            "{dataset}/{protocol}/operating_points",
            caption="../workflow/report/operating_points.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Operating points (table)", "protocol": "{protocol}", "model": "all"},
        ),
        predictive_values=table_files(
            "{dataset}/{protocol}/predictive_values",
            caption="../workflow/report/predictive_values.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Predictive values (table)", "protocol": "{protocol}", "model": "all"},
        ),
        decision_table=table_files(
            "{dataset}/{protocol}/decision_curve",
            caption="../workflow/report/decision_curve.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Net benefit (table)", "protocol": "{protocol}", "model": "all"},
        ),
        decision_curve=figure_files(
            "{dataset}/{protocol}/decision_curve",
            caption="../workflow/report/decision_curve.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Net benefit (figure)", "protocol": "{protocol}", "model": "all"},
        ),
    log:
        "<logs>/describe_protocol/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        models=experiment.shown.titled_models,
        title=experiment.readings.title,
        code=code_digest("describe_protocol"),
    message:
        "Drawing and tabulating all models on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/describe_protocol.py"


rule describe_comparisons:
    input:
        comparisons="<results>/evaluation/{dataset}/{protocol}/comparisons.tsv",
    output:
        table=table_files(
            "{dataset}/{protocol}/comparisons",
            where="splits of several models",
            caption="../workflow/report/comparisons.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={
                "show": "Model against model (table)",
                "protocol": "{protocol}",
                "model": "all",
            },
        ),
        figure=figure_files(
            "{dataset}/{protocol}/differences",
            where="splits of several models",
            caption="../workflow/report/differences.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Differences of the models", "protocol": "{protocol}", "model": "all"},
        ),
    log:
        "<logs>/describe_comparisons/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        titles=experiment.shown.titles_of_models,
        controls=experiment.shown.controls,
        title=experiment.readings.title,
        code=code_digest("describe_comparisons"),
    message:
        "Describing model against model on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/describe_comparisons.py"


# Of data sets with more than two classes.
rule describe_class_comparisons:
    input:
        comparisons="<results>/evaluation/{dataset}/{protocol}/class_comparisons.tsv",
    output:
        table_files(
            "{dataset}/{protocol}/class_comparisons",
            where="splits of several models and many classes",
            caption="../workflow/report/class_comparisons.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={
                "show": "Model against model over all classes",
                "protocol": "{protocol}",
                "model": "all",
            },
        ),
    log:
        "<logs>/describe_class_comparisons/{dataset}/{protocol}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        titles=experiment.shown.titles_of_models,
        title=experiment.shown.title,
        code=code_digest("describe_class_comparisons"),
    message:
        "Describing models over all classes on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/describe_class_comparisons.py"


rule describe_class_calibration:
    input:
        calibration=experiment.files.of_runs("class_calibration.tsv", experiment.runs.shown_of),
        risk=experiment.files.of_runs("class_risk_coverage.tsv", experiment.runs.shown_of),
    output:
        table=table_files(
            "{dataset}/class_calibration",
            where="datasets of many classes",
            caption="../workflow/report/class_calibration.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Calibration over all classes", "protocol": "all", "model": "all"},
        ),
        risk_coverage=figure_files(
            "{dataset}/class_risk_coverage",
            where="datasets of many classes",
            caption="../workflow/report/class_risk_coverage.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={
                "show": "Risk-coverage curves over all classes",
                "protocol": "all",
                "model": "all",
            },
        ),
    log:
        "<logs>/describe_class_calibration/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        runs=experiment.shown.described(experiment.runs.shown_of),
        title=experiment.shown.title,
        code=code_digest("describe_class_calibration"),
    message:
        "Describing the calibration over all classes of {wildcards.dataset}"
    script:
        "../workflow/scripts/describe_class_calibration.py"


rule describe_protocol_gap:
    input:
        gap="<results>/evaluation/{dataset}/protocol_gap.tsv",
        folds=experiment.files.of_protocols("folds/{dataset}/{protocol}.tsv"),
    output:
        table=table_files(
            "{dataset}/protocol_gap",
            where="datasets of several protocols",
            caption="../workflow/report/protocol_gap.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Protocol gap (table)"},
        ),
        figure=figure_files(
            "{dataset}/protocol_gap",
            where="datasets of several protocols",
            caption="../workflow/report/protocol_gap.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Protocol gap (figure)"},
        ),
    log:
        "<logs>/describe_protocol_gap/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        titles=experiment.shown.titles_of_gap,
        title=experiment.readings.title,
        code=code_digest("describe_protocol_gap"),
    message:
        "Describing the gap between the protocols of {wildcards.dataset}"
    script:
        "../workflow/scripts/describe_protocol_gap.py"


rule describe_variance_components:
    input:
        components="<results>/evaluation/{dataset}/variance_components.tsv",
    output:
        table=table_files(
            "{dataset}/variance_components",
            where="datasets of repeated protocols",
            caption="../workflow/report/variance_components.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Variance components (table)"},
        ),
        figure=figure_files(
            "{dataset}/variance_components",
            where="datasets of repeated protocols",
            caption="../workflow/report/variance_components.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Variance components (figure)"},
        ),
    log:
        "<logs>/describe_variance_components/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        titles=experiment.shown.titles_of_repeated,
        title=experiment.readings.title,
        code=code_digest("describe_variance_components"),
    message:
        "Describing the variance of the results on {wildcards.dataset}"
    script:
        "../workflow/scripts/describe_variance_components.py"


rule describe_leak_contrast:
    input:
        contrast="<results>/evaluation/{dataset}/leak_contrast.tsv",
        gap=experiment.files.gap_of_dataset,
    output:
        table=table_files(
            "{dataset}/leak_contrast",
            where="datasets of leak contrasts",
            caption="../workflow/report/leak_contrast.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "The leak in isolation (table)"},
        ),
        figure=figure_files(
            "{dataset}/leak_contrast",
            where="datasets of leak contrasts",
            caption="../workflow/report/leak_contrast.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "The leak in isolation (figure)"},
        ),
    log:
        "<logs>/describe_leak_contrast/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        titles=experiment.shown.contrast_titles,
        gap_titles=experiment.shown.titles_of_gap,
        title=experiment.readings.title,
        code=code_digest("describe_leak_contrast"),
    message:
        "Describing the leak in isolation on {wildcards.dataset}"
    script:
        "../workflow/scripts/describe_leak_contrast.py"


rule describe_results:
    input:
        metrics=experiment.files.of_runs("metrics.tsv", experiment.runs.true_of),
        intervals=experiment.files.of_runs("intervals.tsv", experiment.runs.true_of),
        baseline_metrics=experiment.files.of_baselines("metrics.tsv"),
        baseline_intervals=experiment.files.of_baselines("intervals.tsv"),
        shown_intervals=experiment.files.intervals_with_baselines,
        differences=experiment.files.of_protocols("baselines/{dataset}/{protocol}/differences.tsv"),
        subjects=experiment.files.of_runs("subject_metrics.tsv", experiment.runs.true_of),
        drawn=experiment.files.of_runs("metrics.tsv", experiment.runs.shown_of),
        drawn_intervals=experiment.files.of_runs("intervals.tsv", experiment.runs.shown_of),
        identity=experiment.identity.of_dataset,
        published=ancient(workflow.source_path("../resources/published_results.tsv")),
    output:
        table=table_files(
            "{dataset}/results",
            caption="../workflow/report/results.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Results in full (table)"},
        ),
        quoted=table_files(
            "{dataset}/quoted",
            caption="../workflow/report/quoted.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Results to quote (table)"},
        ),
        subjects=table_files(
            "{dataset}/subject_results",
            caption="../workflow/report/subject_results.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Results by subject (table)"},
        ),
        figure=figure_files(
            "{dataset}/accuracy_comparison",
            caption="../workflow/report/accuracy_comparison.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Accuracy (figure)"},
        ),
        baselines=table_files(
            "{dataset}/baselines",
            caption="../workflow/report/baselines.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Trivial baselines (table)"},
        ),
        baselines_figure=figure_files(
            "{dataset}/baselines",
            caption="../workflow/report/baselines.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"show": "Trivial baselines (figure)"},
        ),
    log:
        "<logs>/describe_results/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        runs=experiment.shown.described(experiment.runs.true_of),
        baselines=experiment.shown.baselines,
        with_baselines=experiment.shown.runs_with_baselines,
        protocols=experiment.shown.protocols,
        titles=experiment.shown.titles_of_models,
        drawn=experiment.shown.described(experiment.runs.shown_of),
        learnt_before=experiment.shown.learnt_before,
        title=experiment.readings.title,
        resources=resource_digests("published_results.tsv"),
        code=code_digest("describe_results"),
    message:
        "Describing the results on {wildcards.dataset}"
    script:
        "../workflow/scripts/describe_results.py"


rule compare_with_literature:
    input:
        metrics=experiment.files.evaluated("metrics.tsv", experiment.runs.shown),
        literature=ancient(workflow.source_path("../resources/literature.tsv")),
        published=ancient(workflow.source_path("../resources/published_results.tsv")),
    output:
        literature=table_files(
            "literature",
            where="reproductions",
            caption="../workflow/report/literature.rst",
            category="Comparison",
            subcategory="Literature",
            labels={"show": "Accuracies (table)"},
        ),
        figure=figure_files(
            "literature_comparison",
            where="reproductions",
            caption="../workflow/report/literature_comparison.rst",
            category="Comparison",
            subcategory="Literature",
            labels={"show": "Accuracies (figure)"},
        ),
        reproduction=table_files(
            "reproduction",
            where="reproductions",
            caption="../workflow/report/reproduction.rst",
            category="Reproduction",
            labels={"table": "Printed and measured values"},
        ),
    log:
        "<logs>/compare_with_literature.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        runs=experiment.runs.described(experiment.runs.shown),
        comparable=[run._asdict() for run in experiment.runs.comparable],
        resources=resource_digests("literature.tsv", "published_results.tsv"),
        code=code_digest("compare_with_literature"),
    message:
        "Comparing our results with those of the thesis and of the literature"
    script:
        "../workflow/scripts/compare_with_literature.py"
