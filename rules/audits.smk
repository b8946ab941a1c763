rule tabulate_leakage:
    input:
        leakage=[
            f"results/folds/{dataset}/{protocol}.leakage.tsv" for dataset, protocol in TRUE_SPLITS
        ],
        manifests=expand("results/datasets/{dataset}/manifest.tsv", dataset=TRUE_DATASETS),
    output:
        tsv=report(
            "results/tables/leakage.tsv",
            caption="../workflow/report/leakage.rst",
            category="Audit",
            subcategory="All data sets",
            labels={"show": "Leakage (table)"},
        ),
        tex="results/tables/leakage.tex",
        md="results/tables/leakage.md",
    log:
        "logs/tabulate_leakage.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        datasets=TRUE_DATASETS,
        splits=TRUE_SPLITS,
        titles=TITLES,
        code=code_digest("audit_tables"),
    message:
        "Tabulating what crosses the splits"
    script:
        "../workflow/scripts/tabulate_leakage.py"


rule plot_leakage:
    input:
        leakage="results/tables/leakage.tsv",
    output:
        pdf="results/figures/leakage.pdf",
        svg=report(
            "results/figures/leakage.svg",
            caption="../workflow/report/leakage_figure.rst",
            category="Audit",
            subcategory="All data sets",
            labels={"show": "Leakage (figure)"},
        ),
        png="results/figures/leakage.png",
    log:
        "logs/plot_leakage.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        code=code_digest("figures.audit_figures"),
    message:
        "Drawing what crosses the splits"
    script:
        "../workflow/scripts/plot_leakage.py"


rule tabulate_duplicates:
    input:
        duplicates="results/datasets/{dataset}/duplicates.tsv",
        manifest="results/datasets/{dataset}/manifest.tsv",
        groups="results/datasets/{dataset}/groups.tsv",
    output:
        tsv=report(
            "results/tables/{dataset}/duplicates.tsv",
            caption="../workflow/report/duplicates_table.rst",
            category="Audit",
            subcategory="{dataset}",
            labels={"show": "Duplicates (table)"},
        ),
        tex="results/tables/{dataset}/duplicates.tex",
        md="results/tables/{dataset}/duplicates.md",
    log:
        "logs/tabulate_duplicates/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        title=lambda wildcards: TITLES["dataset"][wildcards.dataset],
        code=code_digest("audit_tables"),
    message:
        "Tabulating the duplicates of {wildcards.dataset}"
    script:
        "../workflow/scripts/tabulate_duplicates.py"


rule plot_duplicates:
    input:
        images="results/datasets/{dataset}/images.npy",
        manifest="results/datasets/{dataset}/manifest.tsv",
        duplicates="results/datasets/{dataset}/duplicates.tsv",
    output:
        pdf="results/figures/{dataset}/duplicates.pdf",
        svg="results/figures/{dataset}/duplicates.svg",
        png=report(
            "results/figures/{dataset}/duplicates.png",
            caption="../workflow/report/duplicates.rst",
            category="Audit",
            subcategory="{dataset}",
            labels={"show": "Duplicates (figure)"},
        ),
    log:
        "logs/plot_duplicates/{dataset}.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        title=lambda wildcards: TITLES["dataset"][wildcards.dataset],
        code=code_digest("figures.audit_figures"),
    message:
        "Drawing the duplicates of {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_duplicates.py"


rule tabulate_fitted_artefacts:
    input:
        records=[artefact["path"] for artefact in fitted_artefacts()],
        folds=[f"results/folds/{dataset}/{protocol}.tsv" for dataset, protocol in SPLITS],
    output:
        tsv=report(
            "results/tables/fitted_artefacts.tsv",
            caption="../workflow/report/fitted_artefacts.rst",
            category="Audit",
            subcategory="All data sets",
            labels={"show": "Fitted artefacts"},
        ),
        tex="results/tables/fitted_artefacts.tex",
        md="results/tables/fitted_artefacts.md",
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
        code=code_digest("audit_tables"),
    message:
        "Checking that nothing was fitted on a test image"
    script:
        "../workflow/scripts/tabulate_fitted_artefacts.py"


rule tabulate_printed_audit:
    input:
        published=workflow.source_path("../resources/published_results.tsv"),
        split_sizes=workflow.source_path("../resources/split_sizes.tsv"),
    output:
        tsv=report(
            "results/tables/printed_audit.tsv",
            caption="../workflow/report/printed_audit.rst",
            category="Audit",
            subcategory="Results",
            labels={"show": "Printed results of the thesis"},
        ),
        tex="results/tables/printed_audit.tex",
        md="results/tables/printed_audit.md",
        matrices="results/evaluation/printed_matrices.tsv",
    log:
        "logs/tabulate_printed_audit.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        code=code_digest("result_audit"),
    message:
        "Auditing the printed results of the thesis"
    script:
        "../workflow/scripts/tabulate_printed_audit.py"


rule audit_own_results:
    input:
        results=expand("results/tables/{dataset}/results.tsv", dataset=TRUE_DATASETS),
        confusions=[
            "results/evaluation/{dataset}/{protocol}/{model}/confusion.tsv".format(**run)
            for run in TRUE_RUNS
        ],
    output:
        tsv=report(
            "results/tables/own_audit.tsv",
            caption="../workflow/report/own_audit.rst",
            category="Audit",
            subcategory="Results",
            labels={"show": "Results of this experiment"},
        ),
        tex="results/tables/own_audit.tex",
        md="results/tables/own_audit.md",
    log:
        "logs/audit_own_results.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        datasets=TRUE_DATASETS,
        runs=TRUE_RUNS,
        code=code_digest("result_audit"),
    message:
        "Auditing our own results"
    script:
        "../workflow/scripts/audit_own_results.py"
