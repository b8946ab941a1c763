# Detected leukocytes judged on boxes or positions of all leukocytes.
rule judge_cells:
    input:
        cells="<results>/cells/{dataset}/cells.tsv",
        photographs="<results>/cells/{dataset}/photographs.tsv",
    output:
        judged="<results>/cells/{dataset}/truth/photographs.tsv",
        measures="<results>/cells/{dataset}/truth/measures.tsv",
        errors="<results>/cells/{dataset}/truth/errors.tsv",
        pictures="<results>/cells/{dataset}/truth/pictures.npy",
    log:
        "<logs>/judge_cells/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(experiment.inputs.judged),
    conda:
        "../envs/judging.yaml"
    resources:
        mem_mb=counted(4000, 0.1, experiment.inputs.raw_megabytes),
        runtime=counted(30, 0.02, experiment.inputs.raw_megabytes, DAY),
    params:
        settings=experiment.inputs.judged_settings,
        raw=experiment.inputs.raw_digest,
        # A namespace is not compared: the same photographs at another place are not judged again.
        place=experiment.inputs.raw_place,
        packages=pinned("judging", "numpy", "scipy"),
        code=code_digest("judge_cells"),
    message:
        "Comparing the detected leukocytes of {wildcards.dataset} with the known ones"
    script:
        "../workflow/scripts/judge_cells.py"


rule describe_detection:
    input:
        judged="<results>/cells/{dataset}/truth/photographs.tsv",
        measures="<results>/cells/{dataset}/truth/measures.tsv",
        errors="<results>/cells/{dataset}/truth/errors.tsv",
        pictures="<results>/cells/{dataset}/truth/pictures.npy",
    output:
        table=table_files(
            "{dataset}/detection",
            where="judged photographs",
            caption="../workflow/report/detection.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"show": "Detected leukocytes (table)"},
        ),
        figure=figure_files(
            "{dataset}/detection",
            where="judged photographs",
            shown="png",
            caption="../workflow/report/detection_figure.rst",
            category="Data sets",
            subcategory="{dataset}",
            labels={"show": "Errors of the detector"},
        ),
    log:
        "<logs>/describe_detection/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        title=experiment.shown.title,
        code=code_digest("describe_detection"),
    message:
        "Describing the detected leukocytes of {wildcards.dataset}"
    script:
        "../workflow/scripts/describe_detection.py"
