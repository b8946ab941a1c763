# The results page: one file that concludes, from stored tables and predictions alone.

PAGE_FILES = [
    *(f"workflow/page/{name}" for name in ("page.html.j2", "parts.html.j2", "page.css", "page.js")),
    *(f"workflow/page/gallery.{ending}" for ending in ("html.j2", "css", "js")),
    "workflow/page/filters.js",
    "docs/glossary.md",
]


rule write_page:
    input:
        unpack(experiment.files.page),
        tables=every("tables", "tsv", "md", "html"),
        figures=every("figures"),
        methods="<results>/publication/methods.md",
        provenance="<results>/publication/provenance.json",
        templates=[ancient(workflow.source_path(f"../{name}")) for name in PAGE_FILES],
    output:
        page=reported(
            "<results>/index.html",
            caption="../workflow/report/page.rst",
            category="Answer",
            labels={"page": "Results"},
        ),
        answer="<results>/answer.rst",
    log:
        "<logs>/write_page.log",
    conda:
        "../envs/page.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=run_time(20),
    params:
        # A function, because Snakemake takes a brace in a plain parameter for a wildcard.
        about=experiment.shown.page,
        citation=lambda wildcards: citation(ROOT),
        templates=[digest_file(ROOT / name) for name in PAGE_FILES],
        code=code_digest("write_page"),
    message:
        "Writing the page of results"
    script:
        "../workflow/scripts/write_page.py"
