rule generate_demo:
    output:
        folder=directory("<results>/demo/{dataset}"),
    log:
        "<logs>/generate_demo/{dataset}.log",
    priority: CHECKED_FIRST
    conda:
        "../envs/datasets.yaml"
    resources:
        mem_mb=counted(2000, 0.5, experiment.inputs.demo_cells),
        runtime=counted(10, 0.01, experiment.inputs.demo_cells, DAY),
    params:
        settings=experiment.inputs.key("demo"),
        seed=config["seed"],
        code=code_digest("generate_demo"),
    message:
        "Generating the blood smears of {wildcards.dataset}"
    script:
        "../workflow/scripts/generate_demo.py"


# Leukocytes in photographs, by a detector without trained weights or one in an ONNX file.
rule detect_cells:
    output:
        cells="<results>/cells/{dataset}/cells.tsv",
        photographs="<results>/cells/{dataset}/photographs.tsv",
    log:
        "<logs>/detect_cells/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(experiment.inputs.of_format("photographs")),
    priority: CHECKED_FIRST
    conda:
        "../envs/datasets.yaml"
    threads: IMAGE_THREADS
    resources:
        mem_mb=counted(4000, 0.1, experiment.inputs.raw_megabytes),
        runtime=counted(30, 0.02, experiment.inputs.raw_megabytes, DAY),
    params:
        settings=experiment.inputs.detector_settings,
        raw=experiment.inputs.raw_digest,
        # A namespace is not compared: the same photographs at another place are not searched again.
        place=experiment.inputs.detection_place,
        packages=pinned("datasets", "numpy", "onnxruntime"),
        code=code_digest("detect_cells"),
    message:
        "Looking for leukocytes in the photographs of {wildcards.dataset}"
    script:
        "../workflow/scripts/detect_cells.py"


rule import_dataset:
    input:
        generated=experiment.inputs.generated_folder,
        detected=experiment.inputs.detected_cells,
    output:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        rejected="<results>/datasets/{dataset}/rejected.tsv",
        summary="<results>/datasets/{dataset}/dataset.json",
    log:
        "<logs>/import_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/import_dataset/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(experiment.inputs.imported),
    priority: CHECKED_FIRST
    conda:
        "../envs/datasets.yaml"
    threads: IMAGE_THREADS
    resources:
        mem_mb=counted(4000, 0.1, experiment.inputs.raw_megabytes),
        runtime=counted(60, 0.02, experiment.inputs.raw_megabytes, DAY),
    params:
        dataset=experiment.inputs.import_settings,
        raw=experiment.inputs.raw_digest,
        photographs=experiment.inputs.photographs_digest,
        # A namespace is not compared: the same files at another place are not imported again.
        place=experiment.inputs.raw_place,
        code=code_digest("import_dataset"),
    message:
        "Importing {wildcards.dataset}"
    script:
        "../workflow/scripts/import_dataset.py"


# Plain numbers of every image, which trivial baselines are fitted on, and the masks of the cells, which
# attributions are compared with.
rule measure_images:
    input:
        generated=experiment.inputs.generated_folder,
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
    output:
        measures="<results>/datasets/{dataset}/measures.tsv",
        cells="<results>/datasets/{dataset}/cells.npz",
    log:
        "<logs>/measure_images/{dataset}.log",
    priority: CHECKED_FIRST
    conda:
        "../envs/datasets.yaml"
    resources:
        mem_mb=memory(2000, of_tables=60),
        runtime=run_time(30, of_arrays=0.05),
    params:
        settings=experiment.inputs.measuring_settings,
        # A namespace is not compared: masks at another place are the same masks.
        place=experiment.inputs.mask_place,
        code=code_digest("measure_images"),
    message:
        "Finding and measuring the cells of {wildcards.dataset}"
    script:
        "../workflow/scripts/measure_images.py"


rule audit_dataset:
    input:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
    output:
        duplicates="<results>/datasets/{dataset}/duplicates.tsv",
        groups="<results>/datasets/{dataset}/groups.tsv",
    log:
        "<logs>/audit_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/audit_dataset/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(experiment.inputs.except_format("permuted", "open", "locked")),
    priority: CHECKED_FIRST
    conda:
        "../envs/datasets.yaml"
    threads: IMAGE_THREADS
    resources:
        mem_mb=memory(2000, of_tables=60, of_arrays=1.5),
        runtime=run_time(30, of_arrays=0.1),
    params:
        duplicates=experiment.inputs.key("duplicates"),
        independent=experiment.inputs.independent_images,
        code=code_digest("audit_dataset"),
    message:
        "Looking for duplicates and leakage groups in {wildcards.dataset}"
    script:
        "../workflow/scripts/audit_dataset.py"
