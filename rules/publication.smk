# Everything for a manuscript, from stored records, tables and figures alone: no TensorFlow.


localrules:
    publication,


rule publication:
    input:
        every_publication_file(),


rule write_methods:
    input:
        unpack(stored_records),
    output:
        md=report(
            "results/publication/methods.md",
            caption="../workflow/report/methods.rst",
            category="Publication",
            labels={"text": "Methods"},
        ),
        tex="results/publication/methods.tex",
    log:
        "logs/write_methods.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        # A function, because Snakemake would take a brace in a title for a wildcard.
        experiment=lambda wildcards: config,
        asked=asked_trainings(),
        code=code_digest("publication.methods"),
    message:
        "Writing the methods section"
    script:
        "../workflow/scripts/write_methods.py"


rule write_claim_checklist:
    input:
        unpack(stored_records),
        checklist=workflow.source_path("../resources/checklists/claim_2024.tsv"),
    output:
        tsv=report(
            "results/publication/checklist_claim.tsv",
            caption="../workflow/report/checklist.rst",
            category="Publication",
            labels={"text": "Checklist CLAIM 2024"},
        ),
        md="results/publication/checklist_claim.md",
    log:
        "logs/write_claim_checklist.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        experiment=lambda wildcards: config,
        asked=asked_trainings(),
        repository=lambda wildcards: repository_state(ROOT),
        code=code_digest("publication.checklist"),
    message:
        "Filling the checklist CLAIM 2024"
    script:
        "../workflow/scripts/write_checklist.py"


use rule write_claim_checklist as write_tripod_ai_checklist with:
    input:
        unpack(stored_records),
        checklist=workflow.source_path("../resources/checklists/tripod_ai.tsv"),
    output:
        tsv=report(
            "results/publication/checklist_tripod_ai.tsv",
            caption="../workflow/report/checklist.rst",
            category="Publication",
            labels={"text": "Checklist TRIPOD+AI"},
        ),
        md="results/publication/checklist_tripod_ai.md",
    log:
        "logs/write_tripod_ai_checklist.log",
    message:
        "Filling the checklist TRIPOD+AI"


rule write_provenance:
    input:
        unpack(stored_records),
        predictions=every_fold("predictions.tsv"),
    output:
        "results/publication/provenance.json",
    log:
        "logs/write_provenance.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        experiment=lambda wildcards: config,
        asked=asked_trainings(),
        repository=lambda wildcards: repository_state(ROOT),
        code=code_digest("publication.provenance"),
    message:
        "Writing the provenance of every number"
    script:
        "../workflow/scripts/write_provenance.py"


rule assemble_publication:
    input:
        tables=[table for table in every_table() if table.endswith(".tex")],
        figures=[figure for figure in every_figure() if figure.endswith(".pdf")],
        methods="results/publication/methods.tex",
    output:
        tables=directory("results/publication/tables"),
        figures=directory("results/publication/figures"),
        document="results/publication/main.tex",
    log:
        "logs/assemble_publication.log",
    conda:
        "../envs/comparison.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        titles=lambda wildcards: TITLES,
        title=lambda wildcards: config["title"],
        code=code_digest("publication.document"),
    message:
        "Collecting tables and figures for print"
    script:
        "../workflow/scripts/assemble_publication.py"
