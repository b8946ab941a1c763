"""What methods and checklists report of pre-processing, networks, training and software."""

from collections import Counter
from collections.abc import Iterator

from blastfold.core.names import plain_name
from blastfold.core.preprocessing_kinds import (
    HALF_RANGE,
    IMAGENET,
    KINDS,
    OF_FOLD,
    PLAIN,
    SCALED,
    Kind,
)
from blastfold.core.settings import OWN_NETWORKS
from blastfold.reporting.publication.records import Records, Run
from blastfold.reporting.publication.tuning_facts import chosen_keys, tuning_sentences
from blastfold.reporting.publication.wording import (
    count,
    duration,
    grouped,
    listing,
    percent,
    sentence,
    size,
)

LIBRARIES = {
    "python": "Python",
    "keras": "Keras",
    "tensorflow": "TensorFlow",
    "numpy": "NumPy",
    "blastfold": "Blastfold",
}
"""How libraries of a run record are written."""


ANY_ANGLE = 180
"""Degrees of a rotation to either side that can be any."""

VIEW_WORDS = {
    2: "the image and its flip left-right",
    4: "the image and its flips left-right, up-down and both",
    8: "the image, its flips left-right, up-down and both, and the transpositions of these four",
}
"""Test-time views by their number."""


def preprocessing_sentences(records: Records) -> list[str]:
    """Report how an image was processed before a network saw it."""

    def describe(run: Run) -> str:
        settings = run.record["settings"]
        text = _declared(settings) or _preprocessing(KINDS[settings["preprocessing"]])
        stain = settings.get("stain", "none")
        if stain == "none":
            return text
        return (
            f"stains were normalised by {stain.capitalize()}'s method with reference statistics "
            f"of the fold's own training images, and {text}"
        )

    pairs = _by_model(records, describe)
    return [f"For {models}, {text}." for models, text in pairs]


def _declared(settings: dict) -> str:
    """Describe what the config declares of a backbone that is a file; empty for other backbones."""
    if settings.get("vectors"):
        return (
            "the vectors were computed by another program, whose pre-processing is not known here"
        )
    if not (declared := settings.get("onnx")):
        return ""
    mean, deviation = (listing(f"{part:g}" for part in declared[key]) for key in ("mean", "std"))
    return (
        f"images were brought to {size(*declared['size'])} pixels, and intensities of 0 to 255 "
        f"were multiplied by {declared['scale']:.6g}, reduced by {mean} and divided by {deviation} "
        "in the three channels"
    )


def _preprocessing(kind: Kind) -> str:
    """Describe a kind of pre-processing: the mean that was subtracted, and the units."""
    if kind.mean is None:
        if kind.units == IMAGENET:
            return "intensities were scaled as the backbone's ImageNet weights expect"
        return "intensities of 0 to 255 were left as they are"
    owner = "the fold's own" if kind.mean == OF_FOLD else "the source task's"
    text = f"the mean image of {owner} training images was subtracted"
    units = {
        PLAIN: "from intensities of 0 to 255, without other scaling",
        SCALED: f"and the difference was divided by {HALF_RANGE:g}",
        IMAGENET: (
            "in place of ImageNet's mean, in the channel order and scale that ImageNet weights "
            "of the backbone expect"
        ),
    }
    return f"{text} {units[kind.units]}"


def augmentation_sentences(records: Records) -> list[str]:
    """Report the random changes of training images, with the values used."""

    def describe(run: Run) -> str:
        changes = augmentation_changes(run.record["settings"]["augmentation"], _shape(records, run))
        return listing(changes)

    sentences = []
    for models, changes in _by_model(records, describe):
        if changes:
            sentences.append(
                f"For {models}, training images were changed at random in every epoch: {changes}."
            )
        else:
            sentences.append(f"For {models}, training images were not augmented.")
    return sentences


def augmentation_changes(settings: dict, shape: tuple[int, int]) -> list[str]:
    """List the random changes that are switched on, with their parameters.

    Args:
        settings: The ``augmentation`` of a run record.
        shape: (height, width) of the images; others than square ones are never transposed.
    """
    square = shape[0] == shape[1]
    texts = {
        "flip_up_down": "a flip up-down with probability 0.5",
        "flip_left_right": "a flip left-right with probability 0.5",
        "transpose": "a transposition with probability 0.25" if square else "",
        "brightness": "a shift of all intensities by up to ±{} of their range",
        "contrast": "a change of the contrast by up to ±{}",
        "saturation": "a change of the colour saturation by up to ±{}",
        "hue": "a rotation of the hue by up to ±{} of the colour circle",
        "crop": "a crop that takes away up to {} of each side before it is stretched to full size",
        "rotation": _rotation(settings.get("rotation", 0)),
        "stain_jitter": (
            "a change of the amounts of haematoxylin, eosin and DAB by up to ±{} and "
            f"±{settings.get('stain_jitter', 0):g} of optical density (Tellez et al. 2018)"
        ),
    }
    chosen = [(key, value) for key, value in settings.items() if value]
    described = [texts.get(key, f"{key} {{}}").format(_amount(value)) for key, value in chosen]
    return [text for text in described if text]


def network_sentences(records: Records) -> list[str]:
    """Describe each network: architecture, head, parameters, what of it was trained."""
    sentences = []
    for dataset, model in dict.fromkeys((run.dataset, run.model) for run in records.runs):
        run = records.runs_of(dataset=dataset, model=model)[0]
        where = f" on {records.title('dataset', dataset)}" if len(records.datasets) > 1 else ""
        text = f"{records.title('model', model)}{where}: {_network(run)}"
        if head := _head(records.layers.get((dataset, model), [])):
            text += f"; it ends in {head}"
        sentences.append(sentence(text))
    return sentences


def start_sentences(records: Records) -> list[str]:
    """Report the start weights of each network, with the digest of their file."""

    def describe(run: Run) -> str:
        digest = run.record["digests"].get("weights")
        if not digest:
            return "random weights"
        name = _weights_name(records.config["models"][run.model]["weights"], records.config)
        if run.record["settings"].get("vectors"):
            return f"none; the vectors are those of {name}"
        return f"weights of {name} (SHA-256 {digest[:12]}\N{HORIZONTAL ELLIPSIS})"

    return [f"Start weights of {models}: {text}." for models, text in _by_model(records, describe)]


def _weights_name(weights: str | dict, config: dict) -> str:
    if isinstance(weights, dict):
        source = weights["pretrained_on"]
        return f"the source task {config['pretraining'][source].get('title', source)}"
    return "ImageNet" if weights == "imagenet" else f"the file {weights.rsplit('/', 1)[-1]}"


def optimisation_sentences(records: Records) -> list[str]:
    """Report how the networks were trained."""
    pairs = _by_model(
        records, lambda run: _optimisation(run.record, _classes(records, run.dataset))
    )
    return [sentence(f"For {models}, {text}") for models, text in pairs]


def selection_sentences(records: Records) -> list[str]:
    """Report which epoch's weights were kept."""

    def describe(run: Run) -> str:
        settings = run.record["settings"]
        if "early_stopping" in chosen_keys(run.record):
            return "early stopping was among the settings that were chosen in the fold"
        if settings.get("early_stopping") and run.record["images"].get("validation"):
            where = " of the last stage" if settings["train"] == "staged" else ""
            runs = records.runs_of(model=run.model)
            stopped = sum(each.record.get("stopped_early", False) for each in runs)
            return (
                f"training was to stop after {count(settings['early_stopping'], 'epoch')}{where} "
                f"without a smaller validation loss ({stopped} of {count(len(runs), 'training')} "
                "stopped so), and the weights of the best epoch were kept"
            )
        return "the weights after the last epoch were kept"

    pairs = _by_model(records, describe)
    kept = [sentence(f"For {models}, {text}") for models, text in pairs]
    kept += ["Test images took no part in this."] if kept else []
    return [*tuning_sentences(records), *kept, *_view_sentences(records)]


def _view_sentences(records: Records) -> list[str]:
    """Report which predictions are means over several views of an image."""

    def describe(run: Run) -> str:
        views = run.record["settings"].get("test_time_views", 1)
        return f"the mean over {views} views of it ({VIEW_WORDS[views]})" if views > 1 else ""

    return [
        f"For {models}, every prediction of an image is {text}."
        for models, text in _by_model(records, describe)
        if text
    ]


def seed_sentences(records: Records) -> list[str]:
    """Report the source of random numbers."""
    if not records.runs:
        return []
    text = f"All random draws derive from the seed {records.config['seed']}."
    if records.config.get("deterministic"):
        return [text, "Deterministic operations were asked of the training library."]
    return [text]


def software_sentences(records: Records) -> list[str]:
    """Name the versions that the trainings recorded, with the device they ran on."""
    if not records.runs:
        return []
    found: dict[str, list[str]] = {}
    for run in records.runs:
        for name, version in run.record["versions"].items():
            found.setdefault(name, [])
            found[name] += [version] if version not in found[name] else []
    order = [*(name for name in LIBRARIES if name in found), *sorted(set(found) - set(LIBRARIES))]
    names = [f"{LIBRARIES.get(name, name)} {listing(found[name])}" for name in order]
    return [f"The networks were trained with {listing(names)}.", *device_sentences(records)]


def device_sentences(records: Records) -> list[str]:
    """Name the devices with the number of trainings on each, and the time they took."""
    if not records.runs:
        return []
    devices = Counter(run.record["device"] for run in records.runs)
    seconds = sum(run.record["seconds"] for run in records.runs)
    spread = listing(
        f"{count(number, 'training')} on {_device(device)}" for device, number in devices.items()
    )
    return [f"There were {spread}, which took {duration(seconds)} in all."]


def _by_model(records: Records, describe) -> list[tuple[str, str]]:
    """Group the models with the same text; one model may need two texts."""
    runs = list({(run.model, describe(run)): run for run in records.runs}.values())
    return grouped(runs, describe, lambda run: records.title("model", run.model), "all networks")


def _shape(records: Records, run: Run) -> tuple[int, int]:
    description = records.datasets.get(run.dataset) or records.config["datasets"][run.dataset]
    height, width = description["image_size"]
    return height, width


def _rotation(degrees: float) -> str:
    """Describe a random rotation, and what fills the corners."""
    angle = "any angle" if degrees == ANY_ANGLE else f"up to ±{degrees:g} degrees"
    return f"a rotation by {angle}, with the corners filled by the mirrored image"


def _amount(value: float | bool) -> str:
    return percent(value) if not isinstance(value, bool) else ""


def _network(run: Run) -> str:
    record = run.record
    settings = record["settings"]
    name = settings["architecture"]
    own = OWN_NETWORKS.get(plain_name(name))
    kind = own.words if own else f"{name} (keras.applications)"
    if settings.get("onnx"):
        kind = "a frozen backbone in an ONNX file with a head"
    text = f"{kind} of {record['parameters']:,} parameters"
    if settings.get("vectors"):
        return f"a head of {record['parameters']:,} parameters on vectors of another program"
    trained = record["trainable_parameters"]
    if settings["train"] == "head":
        return f"{text}, of which the {trained:,} of its head alone were trained"
    if settings["train"] == "staged":
        return (
            f"{text}, of which {trained:,} were trained in the end; training began with the head "
            f"and unfroze the backbone from its end in {count(settings['stages'], 'stage')}"
        )
    return f"{text}, of which {trained:,} were trained"


def _head(layers: list[dict[str, str]]) -> str:
    """Describe the layers after the last convolution, from the table of layers."""
    tail: list[dict[str, str]] = []
    for layer in reversed(layers):
        if layer["kind"] not in ("Dense", "Dropout", "Flatten", "GlobalAveragePooling2D"):
            break
        tail.insert(0, layer)
    if not tail or tail[-1]["kind"] != "Dense":
        return ""
    return listing(_layers(tail))


def _layers(tail: list[dict[str, str]]) -> Iterator[str]:
    for layer in tail[:-1]:
        yield {
            "GlobalAveragePooling2D": "global average pooling",
            "Flatten": "flattened feature maps",
            "Dropout": "dropout",
            "Dense": f"a dense layer of {layer['output_shape']} neurons",
        }[layer["kind"]]
    neurons = tail[-1]["output_shape"]
    yield "one sigmoid neuron" if neurons == "1" else f"{neurons} softmax neurons"


def _classes(records: Records, dataset: str) -> str:
    """Return the words for all classes of a data set."""
    several = len(records.datasets.get(dataset, {}).get("classes", ())) > 2
    return "all classes" if several else "both classes"


def _optimisation(record: dict, classes: str) -> str:
    settings, chosen = record["settings"], chosen_keys(record)
    most = "at most " if settings.get("early_stopping") and "early_stopping" not in chosen else ""
    weights = f"{classes} having the same influence on the loss"
    if not settings["class_weights"]:
        weights = "without class weights"
    if "class_weights" in chosen:
        weights = "with class weights as chosen in the fold"
    rate = f"learning rate {settings['learning_rate']:g}"
    if "learning_rate" in chosen:
        rate = "learning rate as chosen in the fold"
    batches = f"batches of {settings['batch_size']}"
    if "batch_size" in chosen:
        batches = "batches of the chosen size"
    epochs = f"{most}{count(settings['epochs'], 'epoch')}"
    if "epochs" in chosen:
        epochs = "the chosen number of epochs"
    if settings["train"] == "staged" and "stage_learning_rate_factor" not in chosen:
        rate += f", each stage with {settings['stage_learning_rate_factor']:g} of the one before"
    if settings.get("schedule") == "one_cycle" and "schedule" not in chosen:
        rate += ", the highest of a 1-cycle schedule"
    return f"the cross-entropy was minimised by Adam ({rate}) in {batches} for {epochs}, {weights}"


def _device(name: str) -> str:
    return "a CPU" if name == "CPU" else f"a {name}"
