# Everything for a manuscript, from stored records, tables and figures alone: no TensorFlow.


rule write_publication:
    input:
        unpack(experiment.files.records),
        claim=ancient(workflow.source_path("../resources/checklists/claim_2024.tsv")),
        tripod_ai=ancient(workflow.source_path("../resources/checklists/tripod_ai.tsv")),
    output:
        methods=[
            reported(
                "<results>/publication/methods.md",
                caption="../workflow/report/methods.rst",
                category="Publication",
                labels={"text": "Methods"},
            ),
            "<results>/publication/methods.tex",
        ],
        claim=[
            reported(
                "<results>/publication/checklist_claim.tsv",
                caption="../workflow/report/checklist.rst",
                category="Publication",
                labels={"text": "Checklist CLAIM 2024"},
            ),
            "<results>/publication/checklist_claim.md",
        ],
        tripod_ai=[
            reported(
                "<results>/publication/checklist_tripod_ai.tsv",
                caption="../workflow/report/checklist.rst",
                category="Publication",
                labels={"text": "Checklist TRIPOD+AI"},
            ),
            "<results>/publication/checklist_tripod_ai.md",
        ],
        provenance="<results>/publication/provenance.json",
    log:
        "<logs>/write_publication.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        # Functions, because Snakemake takes a brace in a plain parameter for a wildcard.
        experiment=experiment.shown.published_config,
        asked=experiment.runs.with_fold_counts(),
        expected=experiment.inputs.expected,
        # A namespace is not compared: another commit alone writes nothing again.
        repository=lambda wildcards: SimpleNamespace(**repository_state(ROOT)),
        resources=resource_digests("checklists/claim_2024.tsv", "checklists/tripod_ai.tsv"),
        code=code_digest("write_publication"),
    message:
        "Writing the methods section, the checklists and the provenance of every number"
    script:
        "../workflow/scripts/write_publication.py"


# Captions of figures, read for the manuscript. The rules of all figures come before this file.
CAPTIONS = sorted(f"{name}.rst" for name in set(FIGURE_CAPTIONS.values()))


rule assemble_publication:
    input:
        tables=every("tables", "tex"),
        figures=every("figures", "pdf"),
        methods="<results>/publication/methods.tex",
        answer="<results>/answer.rst",
        captions=[ancient(workflow.source_path(f"../workflow/report/{name}")) for name in CAPTIONS],
    output:
        tables=directory("<results>/publication/tables"),
        figures=directory("<results>/publication/figures"),
        document="<results>/publication/main.tex",
        supplement="<results>/publication/supplement.tex",
    log:
        "<logs>/assemble_publication.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        # A function, because Snakemake takes a brace in a plain parameter for a wildcard.
        about=lambda wildcards: {
            **experiment.shown.main_document,
            "titles": experiment.shown.publication_titles(wildcards),
            "title": config["title"],
            "captions": FIGURE_CAPTIONS,
            "citation": citation(ROOT),
        },
        captions=[digest_file(ROOT / "workflow" / "report" / name) for name in CAPTIONS],
        code=code_digest("assemble_publication"),
    message:
        "Collecting tables and figures for print"
    script:
        "../workflow/scripts/assemble_publication.py"
