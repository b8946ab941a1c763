"""Defaults of the config, which the schema alone knows."""

import yaml
from support.repository import SCHEMA


def defaults_of(section):
    """The default of every key of a section such as ``demo``, by name."""
    schema = yaml.safe_load(SCHEMA.read_text("utf-8"))
    properties = schema["$defs"][section]["properties"]
    return {name: described["default"] for name, described in properties.items()}
