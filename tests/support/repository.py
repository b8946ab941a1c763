"""Where the files of this repository are."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "workflow" / "scripts"
LIBRARY = SCRIPTS / "blastfold"
RESOURCES = REPOSITORY / "resources"
SCHEMAS = REPOSITORY / "workflow" / "schemas"
SCHEMA = SCHEMAS / "config.schema.yaml"
