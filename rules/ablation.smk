# The effect of each choice of an ablation, from the stored predictions of all its cells.


rule estimate_ablation:
    input:
        predictions=experiment.files.of_ablation(
            "evaluation/{dataset}/{protocol}/{model}/predictions.tsv", experiment.runs.cells_of
        ),
        intervals=experiment.files.of_ablation(
            "evaluation/{dataset}/{protocol}/{model}/intervals.tsv", experiment.runs.cells_of
        ),
        groups=experiment.files.groups_of_ablation,
        curve_intervals=experiment.files.of_ablation(
            "evaluation/{dataset}/{trained_under}/{model}/intervals.tsv", experiment.runs.curve_of
        ),
        curve_folds=experiment.files.of_ablation(
            "folds/{dataset}/{trained_under}.tsv", experiment.runs.curve_of
        ),
    output:
        effects="<results>/evaluation/ablations/{ablation}/effects.tsv",
        cells="<results>/evaluation/ablations/{ablation}/cells.tsv",
        learning_curve="<results>/evaluation/ablations/{ablation}/learning_curve.tsv",
    log:
        "<logs>/estimate_ablation/{ablation}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        mem_mb=memory(3000, of_tables=150),
        runtime=run_time(30, of_tables=5),
    params:
        plan=experiment.shown.ablation_plan,
        packages=pinned("evaluation", "numpy", "scipy"),
        code=code_digest("estimate_ablation"),
    message:
        "Estimating the effect of each choice of the ablation {wildcards.ablation}"
    script:
        "../workflow/scripts/estimate_ablation.py"


rule describe_ablation:
    input:
        effects="<results>/evaluation/ablations/{ablation}/effects.tsv",
        cells="<results>/evaluation/ablations/{ablation}/cells.tsv",
    output:
        effects=table_files(
            "ablations/{ablation}/effects",
            caption="../workflow/report/ablation_effects.rst",
            category="Ablation",
            subcategory="{ablation}",
            labels={"show": "Effect of each choice (table)"},
        ),
        cells=table_files(
            "ablations/{ablation}/cells",
            caption="../workflow/report/ablation_cells.rst",
            category="Ablation",
            subcategory="{ablation}",
            labels={"show": "All combinations (table)"},
        ),
        figure=figure_files(
            "ablations/{ablation}/effects",
            caption="../workflow/report/ablation_effects.rst",
            category="Ablation",
            subcategory="{ablation}",
            labels={"show": "Effect of each choice (figure)"},
        ),
    log:
        "<logs>/describe_ablation/{ablation}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        title=experiment.shown.ablation_title,
        titles=experiment.shown.ablation_titles,
        code=code_digest("describe_ablation"),
    message:
        "Describing the ablation {wildcards.ablation}"
    script:
        "../workflow/scripts/describe_ablation.py"


rule describe_learning_curve:
    input:
        curve="<results>/evaluation/ablations/{ablation}/learning_curve.tsv",
    output:
        table=table_files(
            "ablations/{ablation}/learning_curve",
            where="learning curves",
            caption="../workflow/report/learning_curve.rst",
            category="Ablation",
            subcategory="{ablation}",
            labels={"show": "Learning curve (table)"},
        ),
        figure=figure_files(
            "ablations/{ablation}/learning_curve",
            where="learning curves",
            caption="../workflow/report/learning_curve.rst",
            category="Ablation",
            subcategory="{ablation}",
            labels={"show": "Learning curve (figure)"},
        ),
    log:
        "<logs>/describe_learning_curve/{ablation}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        title=experiment.shown.ablation_title,
        titles=experiment.shown.ablation_titles,
        code=code_digest("describe_learning_curve"),
    message:
        "Describing the learning curve of {wildcards.ablation}"
    script:
        "../workflow/scripts/describe_learning_curve.py"
