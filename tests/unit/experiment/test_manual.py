"""config/README.md names every key of the schema, with the schema's own words."""

from pathlib import Path

import yaml

from blastfold.experiment.manual import HEADINGS, insert_tables

ROOT = Path(__file__).parents[3]
SCHEMA = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text("utf-8"))


def test_manual_is_up_to_date():
    manual = (ROOT / "config" / "README.md").read_text("utf-8")
    assert manual == insert_tables(manual, SCHEMA), "run: make manual"


def test_every_key_has_a_row_with_its_meaning():
    rows = (ROOT / "config" / "README.md").read_text("utf-8").splitlines()
    for name in HEADINGS:
        entry = SCHEMA["$defs"][name] if name else SCHEMA
        for key in entry["properties"]:
            found = [row for row in rows if row.startswith(f"| `{key}` |")]
            assert found, key
            assert all(len(row.split("|")[4].split()) >= 3 for row in found), key
