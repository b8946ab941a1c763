# Exported networks applied to photographs: snakemake smears --config smears=FOLDER model=EXPORT.
rule detect_smear_cells:
    input:
        generated=experiment.smears.generated,
    output:
        cells="<results>/smears/{smears}/detected/cells.tsv",
        photographs="<results>/smears/{smears}/detected/photographs.tsv",
        listed="<results>/smears/{smears}/detected/listed.tsv",
    log:
        "<logs>/detect_smear_cells/{smears}.log",
    conda:
        "../envs/datasets.yaml"
    threads: 8
    resources:
        mem_mb=counted(4000, 0.1, experiment.smears.megabytes),
        runtime=counted(30, 0.02, experiment.smears.megabytes, DAY),
    params:
        settings=experiment.smears.detection_settings,
        raw=experiment.smears.raw_digest,
        # A namespace is not compared: the same photographs at another place are not searched again.
        place=experiment.smears.place,
        packages=pinned("datasets", "numpy", "onnxruntime"),
        code=code_digest("detect_smear_cells"),
    message:
        "Looking for leukocytes in the photographs of {wildcards.smears}"
    script:
        "../workflow/scripts/detect_smear_cells.py"


rule classify_cells:
    input:
        model=experiment.smears.model_files,
        generated=experiment.smears.generated,
        cells="<results>/smears/{smears}/detected/cells.tsv",
        photographs="<results>/smears/{smears}/detected/photographs.tsv",
        listed="<results>/smears/{smears}/detected/listed.tsv",
    output:
        cells="<results>/smears/{smears}/cells.tsv",
        crops="<results>/smears/{smears}/crops.npy",
        photographs="<results>/smears/{smears}/photographs.tsv",
        subjects="<results>/smears/{smears}/subjects.tsv",
        record="<results>/smears/{smears}/record.json",
    log:
        "<logs>/classify_cells/{smears}.log",
    conda:
        "../envs/smears.yaml"
    threads: 8
    resources:
        mem_mb=counted(6000, 0.1, experiment.smears.megabytes),
        runtime=counted(30, 0.05, experiment.smears.megabytes, DAY),
    params:
        settings=experiment.smears.classification_settings,
        model=experiment.smears.model_digests,
        raw=experiment.smears.raw_digest,
        place=experiment.smears.place,
        packages=pinned("smears", "numpy", "onnxruntime"),
        code=code_digest("classify_cells"),
    message:
        "Classifying the cells of {wildcards.smears}"
    script:
        "../workflow/scripts/classify_cells.py"
