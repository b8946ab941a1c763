"""The config schema: strict types, defaults filled in, and faults in words."""

import copy
import difflib
import math
from collections.abc import Iterator, Mapping

import jsonschema

from blastfold.experiment.config_values import YES_OR_NO, shown


def _is_integer(checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(checker: object, value: object) -> bool:
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))


STRICT = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)
"""Validator for which 2.0 is no integer and .nan and .inf are no numbers."""


def schema_faults(config: object, schema: Mapping) -> list[str]:
    """Return every fault of a config by its schema, except for what ablations may still add.

    They add entries of ``experiments``, so that this key may be absent.
    """
    experiments = schema["properties"]["experiments"].items()
    listed = {key: rule for key, rule in experiments if key != "minItems"}
    relaxed = {
        **schema,
        "required": [key for key in schema["required"] if key != "experiments"],
        "properties": {**schema["properties"], "experiments": listed},
    }
    faults = [describe(error) for error in STRICT(relaxed).iter_errors(config)]
    return faults or list(_training_faults(config, schema))


def _training_faults(config: Mapping, schema: Mapping) -> Iterator[str]:
    """Yield every fault of the keys of a model that source tasks are trained with."""
    model = {**schema["$defs"]["model"], "required": [], "$defs": schema["$defs"]}
    for name, entry in config.get("pretraining", {}).items():
        for error in STRICT(model).iter_errors(entry.get("training", {})):
            yield f"pretraining.{name}.training: {describe(error)}"


def fill_defaults(config: dict, schema: Mapping) -> list[str]:
    """Fill in every default, in place, and return every fault by the schema."""

    def fill(validator, properties, instance, subschema):
        if validator.is_type(instance, "object"):
            for key, property_schema in properties.items():
                if "default" in property_schema:
                    instance.setdefault(key, copy.deepcopy(property_schema["default"]))
        yield from STRICT.VALIDATORS["properties"](validator, properties, instance, subschema)

    # `properties` comes first in every object of the schema, so that defaults are themselves
    # validated and filled by the keywords that follow.
    validator = jsonschema.validators.extend(STRICT, {"properties": fill})(schema)
    return [describe(error) for error in validator.iter_errors(config)]


def describe(error: jsonschema.ValidationError) -> str:
    """Return a fault in words: the key, what was received and what is expected."""
    key = ".".join(str(part) for part in error.absolute_path) or "top level"
    received = shown(error.instance)
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))
        return "; ".join(_describe_unknown(key, name, known) for name in unknown)
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{key}: the key {', '.join(map(repr, missing))} is missing"
    if error.validator == "enum":
        return (
            f"{key}: received {received}, expected one of {error.validator_value}"
            f"{_word_hint(error.instance)}"
        )
    if error.validator == "type":
        expected = error.validator_value
        expected = expected if isinstance(expected, str) else " or ".join(expected)
        return f"{key}: received {received}, expected {expected}{_type_hint(error)}"
    if error.validator == "pattern":
        expected = error.schema.get("description", error.validator_value)
        return f"{key}: {received} does not match the expected form: {expected}"
    if error.validator == "oneOf":
        expected = error.schema.get("description", "another value")
        return f"{key}: received {received}, expected: {expected}{_word_hint(error.instance)}"
    if error.validator in LIMITS:
        return (
            f"{key}: received {received}, {LIMITS[error.validator].format(error.validator_value)}"
        )
    message = error.message
    return f"{key}: {message if len(message) < 200 else f'received {received}; {error.validator}'}"


LIMITS = {
    "minItems": "expected a list of {} or more",
    "maxItems": "expected a list of {} at most",
    "minLength": "expected text of {} characters or more",
    "maxLength": "expected text of {} characters at most",
    "minProperties": "expected a number of entries of {} or more",
    "maxProperties": "expected {} entries at most",
    "uniqueItems": "expected every value once",
}
"""What is expected where the own words of jsonschema do not name it."""


STRUCTURES = {"array": " (a list such as [a, b])", "object": " (keys, each with a colon)"}
"""How to write what holds several values."""


def _word_hint(value: object) -> str:
    return f"; {YES_OR_NO}" if isinstance(value, bool) else ""


def _type_hint(error: jsonschema.ValidationError) -> str:
    """Return how to write a value so that YAML reads it as what is expected."""
    value, expected = error.instance, error.validator_value
    numeric = expected in ("integer", "number")
    if isinstance(expected, str) and expected in STRUCTURES:
        return STRUCTURES[expected]
    if isinstance(value, bool):
        return _word_hint(value)
    if "string" in expected and isinstance(value, int | float):
        return "; put quotes round it"
    if numeric and isinstance(value, str):
        # YAML reads 1e-4 as text, because it has no point.
        number = _as_number(value)
        return f"; write {number!r} without quotes" if number is not None else ""
    if numeric and isinstance(value, float) and not math.isfinite(value):
        return ", which is finite"
    if expected == "integer" and isinstance(value, float):
        return ", written without a decimal point"
    return ""


def _as_number(text: str) -> int | float | None:
    try:
        number = float(text)
        number = int(number) if number.is_integer() else number
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _describe_unknown(key: str, name: str, known: list[str]) -> str:
    place = f"{key}.{name}" if key != "top level" else name
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"{place}: unknown key{hint} Expected one of {known}"
