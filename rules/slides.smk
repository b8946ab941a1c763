rule generate_slide:
    output:
        slide="<results>/demo_slides/{slide}.tif",
        truth="<results>/demo_slides/{slide}.truth.npz",
    log:
        "<logs>/generate_slide/{slide}.log",
    priority: CHECKED_FIRST
    conda:
        "../envs/slides.yaml"
    resources:
        mem_mb=counted(2000, 20, experiment.inputs.demo_slide_megabytes),
        runtime=counted(10, 0.1, experiment.inputs.demo_slide_megabytes, DAY),
    params:
        label=experiment.inputs.slide_label,
        settings=experiment.inputs.demo_slides_settings,
        seed=config["seed"],
        code=code_digest("generate_slide"),
    message:
        "Generating the slide {wildcards.slide}"
    script:
        "../workflow/scripts/generate_slide.py"


rule tile_slide:
    input:
        generated=experiment.inputs.generated_slide,
    output:
        tiles="<results>/slides/{slide}/tiles.h5",
        table="<results>/slides/{slide}/tiles.tsv",
        thumbnail="<results>/slides/{slide}/thumbnail.npz",
    log:
        "<logs>/tile_slide/{slide}.log",
    benchmark:
        "<benchmarks>/tile_slide/{slide}.tsv"
    conda:
        "../envs/slides.yaml"
    threads: min(4, IMAGE_THREADS)
    resources:
        mem_mb=counted(2000, 0.05, experiment.inputs.slide_megabytes),
        runtime=counted(60, 0.01, experiment.inputs.slide_megabytes, DAY),
    params:
        row=experiment.inputs.slide_row("mpp"),
        raw=experiment.inputs.slide_digest,
        # A namespace is not compared: the same slide at another place is not cut again.
        place=experiment.inputs.slide_place,
        settings=experiment.inputs.tiling_settings,
        code=code_digest("tile_slide"),
    message:
        "Cutting the slide {wildcards.slide} into tiles"
    script:
        "../workflow/scripts/tile_slide.py"


rule plot_slide:
    input:
        table="<results>/slides/{slide}/tiles.tsv",
        thumbnail="<results>/slides/{slide}/thumbnail.npz",
    output:
        figure_files(
            "slides/{slide}",
            shown="png",
            caption="../workflow/report/slide.rst",
            category="Slides",
            labels={"slide": "{slide}"},
        ),
    log:
        "<logs>/plot_slide/{slide}.log",
    conda:
        "../envs/comparison.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=run_time(10),
    params:
        code=code_digest("plot_slide"),
    message:
        "Drawing the tiles of {wildcards.slide}"
    script:
        "../workflow/scripts/plot_slide.py"


rule import_tiles:
    input:
        tiles=experiment.inputs.of_slides("tiles.h5"),
        tables=experiment.inputs.of_slides("tiles.tsv"),
    output:
        images="<results>/datasets/{dataset}/images.npy",
        manifest="<results>/datasets/{dataset}/manifest.tsv",
        rejected="<results>/datasets/{dataset}/rejected.tsv",
        summary="<results>/datasets/{dataset}/dataset.json",
    log:
        "<logs>/import_tiles/{dataset}.log",
    benchmark:
        "<benchmarks>/import_tiles/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(experiment.inputs.of_format("tiles")),
    priority: CHECKED_FIRST
    conda:
        "../envs/datasets.yaml"
    threads: IMAGE_THREADS
    resources:
        mem_mb=memory(4000, of_arrays=0.05),
        runtime=run_time(60, of_arrays=0.02),
    params:
        dataset=experiment.inputs.tiles_settings,
        # A namespace is not compared: other positive classes change no import.
        place=experiment.inputs.tiles_place,
        code=code_digest("import_tiles"),
    message:
        "Importing {wildcards.dataset} from the tiles of its slides"
    script:
        "../workflow/scripts/import_tiles.py"
