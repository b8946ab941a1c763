rule tabulate_fitted_artefacts:
    input:
        records=[artefact["path"] for artefact in fitted_artefacts()],
        folds=[f"results/folds/{dataset}/{protocol}.tsv" for dataset, protocol in SPLITS],
    output:
        table_files(
            "fitted_artefacts",
            caption="../workflow/report/fitted_artefacts.rst",
            category="Audit",
            subcategory="All data sets",
            labels={"show": "Fitted artefacts"},
        ),
    log:
        "logs/tabulate_fitted_artefacts.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        artefacts=fitted_artefacts(),
        splits=SPLITS,
        titles=TITLES,
        code=code_digest("reporting.tables.audits"),
    message:
        "Checking that nothing was fitted on a test image"
    script:
        "../workflow/scripts/tabulate_fitted_artefacts.py"


rule audit_results:
    input:
        published=workflow.source_path("../resources/published_results.tsv"),
        split_sizes=workflow.source_path("../resources/split_sizes.tsv"),
        results=expand("results/tables/{dataset}/results.tsv", dataset=TRUE_DATASETS),
        confusions=run_files("confusion.tsv", TRUE_RUNS),
    output:
        printed=table_files(
            "printed_audit",
            caption="../workflow/report/printed_audit.rst",
            category="Audit",
            subcategory="Results",
            labels={"show": "Printed results of the thesis"},
        ),
        matrices="results/evaluation/printed_matrices.tsv",
        own=table_files(
            "own_audit",
            caption="../workflow/report/own_audit.rst",
            category="Audit",
            subcategory="Results",
            labels={"show": "Results of this experiment"},
        ),
    log:
        "logs/audit_results.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        datasets=TRUE_DATASETS,
        runs=TRUE_RUNS,
        code=code_digest("reporting.tables.printed_audit"),
    message:
        "Auditing the printed results of the thesis and our own"
    script:
        "../workflow/scripts/audit_results.py"
