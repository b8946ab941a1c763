# Tables and figures of data sets with more than two classes: all classes at once. The tables of
# positive classes against the rest, which every data set has, are elsewhere.


rule describe_classes:
    input:
        metrics="<results>/evaluation/{dataset}/{protocol}/{model}/class_metrics.tsv",
        confusion="<results>/evaluation/{dataset}/{protocol}/{model}/class_confusion.tsv",
        curves="<results>/evaluation/{dataset}/{protocol}/{model}/class_curves.tsv",
        calibration="<results>/evaluation/{dataset}/{protocol}/{model}/class_calibration.tsv",
        reliability="<results>/evaluation/{dataset}/{protocol}/{model}/class_reliability.tsv",
        subjects="<results>/evaluation/{dataset}/{protocol}/{model}/class_subject_metrics.tsv",
        predictions="<results>/evaluation/{dataset}/{protocol}/{model}/predictions.tsv",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        images="<results>/datasets/{dataset}/images.npy",
    output:
        classes=table_files(
            "{dataset}/{protocol}/{model}/classes",
            where="runs of many classes",
            caption="../workflow/report/classes.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Each class (table)", "protocol": "{protocol}", "model": "{model}"},
        ),
        subjects=table_files(
            "{dataset}/{protocol}/{model}/class_subjects",
            where="runs of many classes",
            caption="../workflow/report/class_subjects_table.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Subjects by class", "protocol": "{protocol}", "model": "{model}"},
        ),
        confusion_figure=figure_files(
            "{dataset}/{protocol}/{model}/class_confusion",
            where="runs of many classes",
            caption="../workflow/report/class_confusion.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={
                "show": "Confusion of all classes",
                "protocol": "{protocol}",
                "model": "{model}",
            },
        ),
        curves_figure=figure_files(
            "{dataset}/{protocol}/{model}/class_curves",
            where="runs of many classes",
            caption="../workflow/report/class_curves.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Curves of each class", "protocol": "{protocol}", "model": "{model}"},
        ),
        calibration_figure=figure_files(
            "{dataset}/{protocol}/{model}/class_calibration",
            where="runs of many classes",
            caption="../workflow/report/class_reliability.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={
                "show": "Reliability of each class",
                "protocol": "{protocol}",
                "model": "{model}",
            },
        ),
        subjects_figure=figure_files(
            "{dataset}/{protocol}/{model}/class_subjects",
            where="runs of many classes",
            caption="../workflow/report/class_subjects.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Classes of subjects", "protocol": "{protocol}", "model": "{model}"},
        ),
        confused_cells=figure_files(
            "{dataset}/{protocol}/{model}/confused_cells",
            where="runs of many classes",
            shown="png",
            caption="../workflow/report/confused_cells.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Confused cells", "protocol": "{protocol}", "model": "{model}"},
        ),
    log:
        "<logs>/describe_classes/{dataset}/{protocol}/{model}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        title=experiment.shown.title,
        code=code_digest("describe_classes"),
    message:
        "Describing every class by {wildcards.model} on {wildcards.dataset}, {wildcards.protocol}"
    script:
        "../workflow/scripts/describe_classes.py"


rule describe_class_results:
    input:
        metrics=experiment.files.of_runs("class_metrics.tsv", experiment.runs.shown_of),
    output:
        table_files(
            "{dataset}/class_results",
            where="datasets of many classes",
            caption="../workflow/report/class_results.rst",
            category="Evaluation",
            subcategory="{dataset}",
            labels={"show": "Results over all classes", "protocol": "all", "model": "all"},
        ),
    log:
        "<logs>/describe_class_results/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        runs=experiment.shown.described(experiment.runs.shown_of),
        title=experiment.shown.title,
        code=code_digest("describe_class_results"),
    message:
        "Describing the results over all classes of {wildcards.dataset}"
    script:
        "../workflow/scripts/describe_class_results.py"
