"""config/README.md names every key of the schema, with the schema's own words."""

import yaml
from support.repository import REPOSITORY, SCHEMA

from blastfold.experiment.manual import HEADINGS, insert_tables

KEYS = yaml.safe_load(SCHEMA.read_text("utf-8"))


def test_manual_is_up_to_date():
    manual = (REPOSITORY / "config" / "README.md").read_text("utf-8")
    assert manual == insert_tables(manual, KEYS), "run: make manual"


def test_every_key_has_a_row_with_its_meaning():
    rows = (REPOSITORY / "config" / "README.md").read_text("utf-8").splitlines()
    for name in HEADINGS:
        entry = KEYS["$defs"][name] if name else KEYS
        for key in entry["properties"]:
            found = [row for row in rows if row.startswith(f"| `{key}` |")]
            assert found, key
            assert all(len(row.split("|")[4].split()) >= 3 for row in found), key
