"""The tables of config/README.md, made from the config schema, so that both always agree.

Run as ``make manual``: it replaces the text between the markers in config/README.md.
"""

import json
import sys
from pathlib import Path

import yaml

BEGIN, END = "<!-- keys begin: made by `make manual` -->", "<!-- keys end -->"

HEADINGS = {
    "": "The experiment",
    "dataset": "A data set (`datasets.<name>`)",
    "grow": "A grown data set (`datasets.<name>.grow`)",
    "select": "A selected data set (`datasets.<name>.select`)",
    "duplicates": "The duplicate audit (`datasets.<name>.duplicates`)",
    "locked_test": "A locked test set (`datasets.<name>.locked_test`)",
    "demo": "Generated smears (`datasets.<name>.demo`)",
    "slides": "Slides and their tiles (`slides`)",
    "demo_slides": "Generated slides (`slides.demo`)",
    "protocol": "A protocol (`protocols.<name>`)",
    "model": "A model (`models.<name>`)",
    "augmentation": "Random changes of training images (`models.<name>.augmentation`)",
    "tune": "Settings to choose (`models.<name>.tune`)",
    "onnx": "A backbone in an ONNX file (`models.<name>.onnx`)",
    "vectors": "Vectors of another program (`models.<name>.vectors`)",
    "pretraining": "A source task (`pretraining.<name>`)",
    "ablation": "An ablation (`ablations.<name>`)",
    "experiment": "An entry of `experiments`",
    "export": "An entry of `exports`",
    "application": "An application to photographs (`applications.<name>`)",
    "detector": "The detector of leukocytes (`detector` of data sets and applications)",
    "onnx_detector": "A detector in an ONNX file (`detector.onnx`)",
}


def key_tables(schema: dict) -> str:
    """Return the Markdown tables of all keys: name, values, default and meaning."""
    lines = []
    for name, heading in HEADINGS.items():
        entry = schema["$defs"][name] if name else schema
        lines += [f"### {heading}", "", "| key | values | default | meaning |", "|---|---|---|---|"]
        required = entry.get("required", [])
        for key, described in entry["properties"].items():
            described = _resolve(described, schema)
            lines.append(
                f"| `{key}` | {_values(described)} | {_default(key, described, required)} "
                f"| {' '.join(described.get('description', '').split())} |"
            )
        lines.append("")
    return "\n".join(lines)


def insert_tables(manual: str, schema: dict) -> str:
    """Replace the text between the markers of a manual by the tables of a schema."""
    before, rest = manual.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{key_tables(schema)}\n{END}{after}"


def _resolve(described: dict, schema: dict) -> dict:
    if "$ref" not in described:
        return described
    return {**schema["$defs"][described["$ref"].rsplit("/", 1)[1]], **described}


def _values(described: dict) -> str:
    if "enum" in described:
        return ", ".join(f"`{json.dumps(value).strip(chr(34))}`" for value in described["enum"])
    if "oneOf" in described:
        null = any(choice.get("type") == "null" for choice in described["oneOf"])
        return "see meaning" + ", or `null`" * null
    names = {"object": "entries", "array": "list", "boolean": "`true`, `false`"}
    text = names.get(described["type"], described["type"])
    if described["type"] in ("integer", "number"):
        low = described.get("minimum", described.get("exclusiveMinimum"))
        high = described.get("maximum", described.get("exclusiveMaximum"))
        sign = ">" if "exclusiveMinimum" in described else "≥"
        text += f" {sign} {low}" if low is not None else ""
        text += f", {'<' if 'exclusiveMaximum' in described else '≤'} {high}" if high else ""
    return text


def _default(key: str, described: dict, required: list[str]) -> str:
    if key in required:
        return "required"
    if "default" not in described:
        return ""
    return f"`{json.dumps(described['default'], ensure_ascii=False)}`"


if __name__ == "__main__":
    manual_path, schema_path = map(Path, sys.argv[1:])
    read_schema = yaml.safe_load(schema_path.read_text("utf-8"))
    manual_path.write_text(insert_tables(manual_path.read_text("utf-8"), read_schema), "utf-8")
