"""What features and trainings need, by wildcards of the config; no rules here."""

# On a machine without a GPU nothing is won by training one network at a time: importing TensorFlow
# and tracing a network keep one core busy each. At most four trainings share the cores, for the
# sake of memory. On a cluster, where this machine says nothing about the nodes, set device: gpu.
# No number of cores is given there, and that of a node must not change what the job has asked for.
TRAINS_ON_GPU = config["device"] == "gpu" or (config["device"] == "auto" and has_gpu())
CORES = None if workflow.remote_exec else workflow.resource_settings.cores
TRAINING_THREADS = max(1, CORES // 4) if CORES and not TRAINS_ON_GPU else 8
# What all extractions and trainings run by. The folder of their states is no declared output:
# Snakemake deletes those of a job that was killed. One parameter instead of six, of which Snakemake
# would keep account for every one of thousands of jobs.
RUN_SETTINGS = {
    **{name: config[name] for name in ("seed", "device", "precision", "xla", "deterministic")},
    "states": "results/unfinished_training",
}
# One extraction serves many trainings and leaves no core idle.
EXTRACTION_THREADS = 8


def model_settings(wildcards):
    entry = config["models"][wildcards.model]
    return {key: entry[key] for key in sorted(entry) if key not in ("title", "weights")}


def start_weights(wildcards):
    """The file with a model's start weights; none for random ones."""
    return weights_file(config["models"][wildcards.model], f"models.{wildcards.model}")


def weights_file(entry, key):
    """The file with the start weights that an entry with architecture and weights names."""
    plain = re.sub("[^a-z0-9]", "", entry["architecture"].lower())
    if entry["weights"] == "none":
        return []
    if source_of(entry):
        return f"results/pretraining/{source_of(entry)}/{plain}.weights.h5"
    if entry["weights"] == "imagenet":
        return f"resources/weights/{plain}_imagenet_notop.weights.h5"
    if not Path(entry["weights"]).is_file():
        raise WorkflowError(
            f"{key}.weights: the file {entry['weights']} does not exist. Expected none, imagenet, "
            "{pretrained_on: ...} or a Keras .weights.h5 file; resources/README.md says more."
        )
    return entry["weights"]


def training_start(wildcards):
    """What a training starts from, by name, as far as the model needs it: the start weights, and
    what was fitted on the training images of its fold."""
    entry = config["models"][wildcards.model]
    files = {
        "weights": start_weights(wildcards),
        "mean_image": source_mean_image(entry),
        "stain": [],
    }
    if entry["preprocessing"] == "mean_image":
        files["mean_image"] = mean_image_of(wildcards, entry["stain"], wildcards.fold)
    if entry["stain"] != "none":
        files["stain"] = stain_of(wildcards, entry["stain"], wildcards.fold)
    return {name: path for name, path in files.items() if path}


def mean_image_of(split, stain, fold):
    """The mean image of a fold's training images, whose stains are normalised or not."""
    place = f"{split.dataset}/{split.protocol}"
    if stain == "none":
        return f"results/mean_images/{place}/fold-{fold}.npy"
    return f"results/stain/{place}/{stain}/fold-{fold}.npy"


def stain_of(split, stain, fold):
    return f"results/stain/{split.dataset}/{split.protocol}/{stain}/fold-{fold}.json"


def source_mean_image(entry):
    """The mean image of the images that an entry's start weights come from."""
    if entry["preprocessing"] != "source_mean_image":
        return []
    plain = re.sub("[^a-z0-9]", "", entry["architecture"].lower())
    return f"results/pretraining/{source_of(entry)}/{plain}.mean_image.npy"


def pretraining_run(wildcards):
    """The training, as a folder under results/training, that a source task's weights come from."""
    entry = config["pretraining"][wildcards.source]
    model = pretraining_name(wildcards.source, wildcards.architecture)
    return f"{entry['dataset']}/{entry['protocol']}/{model}"


def learns_from_features(model):
    """Whether a model's heads learn from features that are extracted once."""
    entry = config["models"][model]
    return entry["train"] == "head" and entry["features"] == "stored"


# Models whose heads learn from stored features, and those that learn from images.
HEAD_MODELS = [model for model in config["models"] if learns_from_features(model)]
IMAGE_MODELS = [model for model in config["models"] if model not in HEAD_MODELS]

# A selection of images scores them by features, as if it were a model that changes no image.
SELECTIONS = {
    name: {**entry["select"], "augmentation": {}, "epochs": 0, "stain": "none"}
    for name, entry in config["datasets"].items()
    if entry["format"] == "selected" and entry["select"]["method"] == "discriminative"
}
FEATURE_SETS = feature_sets(
    [*(config["models"][model] for model in HEAD_MODELS), *SELECTIONS.values()]
)


def image_source(dataset):
    """The data set that a data set's images and their changes come from: of a canary its base."""
    entry = config["datasets"][dataset]
    return entry["of"] if entry["format"] == "permuted" else dataset


def head_features(ending):
    """An input function: features (npy) or their records (json) for the heads of all folds."""

    def files(wildcards):
        entry = config["models"][wildcards.model]
        folds = 0
        if depends_on_fold(entry):
            folds = len(fold_numbers(wildcards.dataset, wildcards.protocol))
        return [
            path.format(
                dataset=wildcards.dataset if folds else image_source(wildcards.dataset),
                features=feature_set_name(entry),
                protocol=wildcards.protocol,
            )
            for path in feature_files(ending, folds)
        ]

    return files


def feature_place(folds):
    """Where features are that depend on one of a number of folds; 0: that are shared by all."""
    return "{dataset}/{features}/" + ("{protocol}" if folds else "shared")


def feature_files(ending, folds):
    """The features (npy) of each of a number of folds, or their records (json); 0: the shared."""
    place = f"results/features/{feature_place(folds)}"
    return [f"{place}/fold-{fold}.{ending}" for fold in range(folds)] or [f"{place}.{ending}"]


def feature_mean_images(wildcards):
    """The mean image of every fold that features depend on, or of the weights' own images."""
    entry = FEATURE_SETS[wildcards.features]
    if entry["preprocessing"] != "mean_image":
        return [source_mean_image(entry)] * (entry["preprocessing"] == "source_mean_image")
    folds = fold_numbers(wildcards.dataset, wildcards.protocol)
    return [mean_image_of(wildcards, entry["stain"], fold) for fold in folds]


def feature_stains(wildcards):
    """The stain reference of every fold that features depend on; none without normalisation."""
    stain = FEATURE_SETS[wildcards.features]["stain"]
    if stain == "none":
        return []
    folds = fold_numbers(wildcards.dataset, wildcards.protocol)
    return [stain_of(wildcards, stain, fold) for fold in folds]


def protocols_with(folds):
    """The protocols with a number of folds."""
    return [name for name, entry in config["protocols"].items() if fold_count(entry) == folds]


def files_of_folds(name, folds):
    """One file of the training of each of a number of folds."""
    return [
        f"results/training/{{dataset}}/{{protocol}}/{{model}}/fold-{fold}/{name}"
        for fold in range(folds)
    ]


def feature_weights(wildcards):
    return weights_file(FEATURE_SETS[wildcards.features], "models")


def selection_features(wildcards):
    """The features that a discriminative selection scores images by; none for another one."""
    if wildcards.dataset not in SELECTIONS:
        return []
    base = config["datasets"][wildcards.dataset]["of"]
    name = feature_set_name(SELECTIONS[wildcards.dataset])
    return feature_files("npy", 0)[0].format(dataset=base, features=name)
