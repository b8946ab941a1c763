# What readers see of an application: overlays, its page, and its detections judged on truth.

SMEARS_PAGE = [
    *("smears.html.j2", "viewer.html.j2", "parts.html.j2", "gallery.html.j2"),
    *("page.css", "gallery.css", "smears.css", "page.js", "filters.js", "gallery.js", "smears.js"),
]


rule judge_smear_cells:
    input:
        generated=experiment.smears.generated,
        cells="<results>/smears/{smears}/detected/cells.tsv",
        photographs="<results>/smears/{smears}/detected/photographs.tsv",
    output:
        judged="<results>/smears/{smears}/truth/photographs.tsv",
        measures="<results>/smears/{smears}/truth/measures.tsv",
        errors="<results>/smears/{smears}/truth/errors.tsv",
        pictures="<results>/smears/{smears}/truth/pictures.npy",
    log:
        "<logs>/judge_smear_cells/{smears}.log",
    wildcard_constraints:
        smears=one_of(experiment.smears.judged),
    conda:
        "../envs/judging.yaml"
    resources:
        mem_mb=counted(4000, 0.1, experiment.smears.megabytes),
        runtime=counted(30, 0.02, experiment.smears.megabytes, DAY),
    params:
        settings=experiment.smears.truth_settings,
        raw=experiment.smears.raw_digest,
        # A namespace is not compared: the same photographs at another place are not judged again.
        place=experiment.smears.place,
        packages=pinned("judging", "numpy", "scipy"),
        code=code_digest("judge_cells"),
    message:
        "Comparing the detected leukocytes of {wildcards.smears} with the known ones"
    script:
        "../workflow/scripts/judge_cells.py"


rule describe_smear_detection:
    input:
        judged="<results>/smears/{smears}/truth/photographs.tsv",
        measures="<results>/smears/{smears}/truth/measures.tsv",
        errors="<results>/smears/{smears}/truth/errors.tsv",
        pictures="<results>/smears/{smears}/truth/pictures.npy",
    output:
        table=multiext("<results>/smears/{smears}/truth/detection", ".tsv", ".md"),
        figure=["<results>/smears/{smears}/truth/detection.png"],
    log:
        "<logs>/describe_smear_detection/{smears}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        title=experiment.smears.title,
        code=code_digest("describe_detection"),
    message:
        "Describing the detected leukocytes of {wildcards.smears}"
    script:
        "../workflow/scripts/describe_detection.py"


rule draw_overlays:
    input:
        generated=experiment.smears.generated,
        cells="<results>/smears/{smears}/cells.tsv",
        photographs="<results>/smears/{smears}/photographs.tsv",
        subjects="<results>/smears/{smears}/subjects.tsv",
        record="<results>/smears/{smears}/record.json",
    output:
        overlays=directory("<results>/smears/{smears}/overlays"),
    log:
        "<logs>/draw_overlays/{smears}.log",
    conda:
        "../envs/smear_pages.yaml"
    resources:
        mem_mb=counted(4000, 0.1, experiment.smears.megabytes),
        runtime=counted(30, 0.05, experiment.smears.megabytes, DAY),
    params:
        raw=experiment.smears.raw_digest,
        # A namespace is not compared: the same photographs at another place are not drawn again.
        place=experiment.smears.place,
        code=code_digest("draw_overlays"),
    message:
        "Drawing the cells of {wildcards.smears}"
    script:
        "../workflow/scripts/draw_overlays.py"


rule write_smears_page:
    input:
        unpack(experiment.smears.truth_files),
        generated=experiment.smears.generated,
        cells="<results>/smears/{smears}/cells.tsv",
        crops="<results>/smears/{smears}/crops.npy",
        photographs="<results>/smears/{smears}/photographs.tsv",
        subjects="<results>/smears/{smears}/subjects.tsv",
        record="<results>/smears/{smears}/record.json",
        templates=[
            ancient(workflow.source_path(f"../workflow/page/{name}")) for name in SMEARS_PAGE
        ],
    output:
        page=report(
            "<results>/smears/{smears}/smears.html",
            caption="../workflow/report/smears.rst",
            category="Smears",
            labels={"page": "Cells of {smears}"},
        ),
        pictures=directory("<results>/smears/{smears}/smears_pictures"),
    log:
        "<logs>/write_smears_page/{smears}.log",
    conda:
        "../envs/smear_pages.yaml"
    resources:
        mem_mb=counted(4000, 0.1, experiment.smears.megabytes),
        runtime=counted(30, 0.02, experiment.smears.megabytes, DAY),
    params:
        title=experiment.smears.title,
        titles=experiment.smears.titles,
        raw=experiment.smears.raw_digest,
        # A namespace is not compared: the same photographs at another place are not shown again.
        place=experiment.smears.place,
        templates=[digest_file(ROOT / "workflow" / "page" / name) for name in SMEARS_PAGE],
        code=code_digest("write_smears_page"),
    message:
        "Writing the page of {wildcards.smears}"
    script:
        "../workflow/scripts/write_smears_page.py"
