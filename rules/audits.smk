rule tabulate_fitted_artefacts:
    input:
        records=experiment.files.fitted_records,
        folds=experiment.files.of_every_split("tsv"),
    output:
        table_files(
            "fitted_artefacts",
            caption="../workflow/report/fitted_artefacts.rst",
            category="Audit",
            subcategory="All data sets",
            labels={"show": "Fitted artefacts"},
        ),
    log:
        "<logs>/tabulate_fitted_artefacts.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        artefacts=experiment.files.fitted_artefacts,
        splits=experiment.shown.splits,
        titles=experiment.runs.titles,
        code=code_digest("tabulate_fitted_artefacts"),
    message:
        "Checking that nothing was fitted on a test image"
    script:
        "../workflow/scripts/tabulate_fitted_artefacts.py"


rule tabulate_identity:
    input:
        audits=experiment.identity.stored(),
    output:
        table_files(
            "identity",
            where="identity audits",
            caption="../workflow/report/identity.rst",
            category="Audit",
            subcategory="All data sets",
            labels={"show": "Shared images of data sets"},
        ),
    log:
        "<logs>/tabulate_identity.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        splits=[tuple(split) for split in experiment.identity.splits],
        titles=experiment.identity.titles,
        code=code_digest("tabulate_identity"),
    message:
        "Tabulating what is learnt from and tested on"
    script:
        "../workflow/scripts/tabulate_identity.py"


rule audit_results:
    input:
        published=ancient(workflow.source_path("../resources/published_results.tsv")),
        split_sizes=ancient(workflow.source_path("../resources/split_sizes.tsv")),
    output:
        printed=table_files(
            "printed_audit",
            where="reproductions",
            caption="../workflow/report/printed_audit.rst",
            category="Audit",
            subcategory="Results",
            labels={"show": "Printed results of the thesis"},
        ),
        matrices="<results>/evaluation/printed_matrices.tsv",
    log:
        "<logs>/audit_results.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        resources=resource_digests("published_results.tsv", "split_sizes.tsv"),
        code=code_digest("audit_results"),
    message:
        "Auditing the printed results of the thesis"
    script:
        "../workflow/scripts/audit_results.py"
