"""The links of the documents lead to files and headings, and the files that they name exist."""

import re
import shlex
import subprocess
import tomllib

import docutils.core
import jinja2
import pytest
import yaml
from snakemake.cli import get_argument_parser as snakemake_parser
from support.repository import REPOSITORY, SCHEMA, SCRIPTS

from blastfold.experiment.config import check_config

DOCUMENTS = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").glob("*.md"),
        *REPOSITORY.glob("*/README.md"),
    ]
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CAPTIONS = sorted((REPOSITORY / "workflow" / "report").glob("*.rst"))
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Files of the repository in code: config/thesis.yaml, tests/unit/training/test_features.py.
NAMED = re.compile(
    r"\b(?:config|profiles|tests|rules|workflow|docs|envs)/[\w./-]+\.(?:yaml|py|smk|md|tsv|rst)\b"
)


def _anchors(document):
    """The anchors that GitHub gives to the headings of a document."""
    text = FENCE.sub("", document.read_text("utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(document):
    text = FENCE.sub("", document.read_text("utf-8"))
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_named_files_exist(document):
    named = set(NAMED.findall(document.read_text("utf-8")))
    assert {name for name in named if not (REPOSITORY / name).exists()} == set()


def test_tests_named_in_the_reliability_page_exist():
    text = (REPOSITORY / "docs" / "RELIABILITY.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    sources = "".join(path.read_text("utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    assert len(named) > 20
    assert {name for name in named if f"def {name}(" not in sources} == set()


def test_every_page_of_docs_is_linked_from_the_readme():
    links = LINK.findall((REPOSITORY / "README.md").read_text("utf-8"))
    linked = {link.partition("#")[0] for link in links}
    pages = {f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")}
    assert pages - linked == set()


def test_named_targets_of_make_exist():
    wanted = set()
    for document in DOCUMENTS:
        wanted |= set(re.findall(r"`make ([a-z-]+)", document.read_text("utf-8")))
        wanted |= set(re.findall(r"^make ([a-z-]+)", document.read_text("utf-8"), re.MULTILINE))
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert wanted - set(re.findall(r"^  make ([a-z-]+)", listed, re.MULTILINE)) == set()


@pytest.mark.parametrize("document", ["README.md", "config/README.md"])
def test_complete_configs_of_the_documents_pass_the_check(document):
    examples = YAML.findall((REPOSITORY / document).read_text("utf-8"))
    required = set(yaml.safe_load(SCHEMA.read_text("utf-8"))["required"])
    complete = [config for config in map(yaml.safe_load, examples) if required <= {*config}]
    assert complete
    for config in complete:
        check_config(config, SCHEMA, document)


COMMANDS = [REPOSITORY / name for name in ("README.md", "docs/your-data.md", "docs/running.md")]
PLACEHOLDERS = {
    **dict.fromkeys(("<config>", "$CONFIG"), "config.yaml"),
    **{"<folder>": "folder", "<name>": "name", "<split>": "split"},
}


def _commands():
    """The commands in blocks of the documents for users, without their comments."""
    for document in COMMANDS:
        for block in FENCE.findall(document.read_text("utf-8")):
            for line in block.splitlines()[1:-1]:
                command = line.partition("  #")[0].strip()
                if command.startswith(("make ", "snakemake ")):
                    yield document, command


@pytest.mark.parametrize(
    ("document", "command"),
    [pytest.param(*found, id=found[1]) for found in dict.fromkeys(_commands())],
)
def test_commands_of_the_documents_are_understood(document, command):
    """make plans them without running; Snakemake reads their options, targets and files."""
    for placeholder, value in PLACEHOLDERS.items():
        command = command.replace(placeholder, value)
    program, *words = shlex.split(command)
    if program == "make":
        run = ["make", "--no-print-directory", "--dry-run", *words]
        subprocess.run(run, cwd=REPOSITORY, capture_output=True, check=True)
        return
    parser = snakemake_parser()
    parsed = parser.parse_args(words)
    rules = "".join(path.read_text("utf-8") for path in (REPOSITORY / "rules").glob("*.smk"))
    for target in parsed.targets:
        assert "/" in target or f"rule {target}:" in rules, target
    named = [*(parsed.configfile or []), parsed.workflow_profile or "."]
    assert [name for name in map(str, named) if not (REPOSITORY / name).exists()] == []


def test_the_test_config_is_complete():
    config = yaml.safe_load((REPOSITORY / ".test/config/config.yaml").read_text("utf-8"))
    assert check_config(config, SCHEMA, "test")["models"]["simple_cnn"]["epochs"] == 1


def test_the_changelog_has_the_release_of_this_version():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    releases = re.findall(r"^## (\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert releases[0] == project["version"]
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == project["version"]


def test_the_readme_is_short_and_its_pictures_are_small():
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) <= 130
    pictures = [name for name in LINK.findall(readme) if name.endswith(".png")]
    assert pictures
    assert all((REPOSITORY / name).stat().st_size < 300_000 for name in pictures)


def test_every_example_of_the_manual_is_yaml():
    for document in DOCUMENTS:
        for example in YAML.findall(document.read_text("utf-8")):
            assert isinstance(yaml.safe_load(example), dict), document


def test_architecture_lists_the_rooms_in_their_order():
    text = (REPOSITORY / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    listed = re.findall(
        r"`(\w+)/`", "\n".join(re.findall(r"^\| (`\w+/`.*?) \|", text, re.MULTILINE))
    )
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    assert [room for room in listed if room in layers] == layers[::-1]


def test_modules_named_in_the_architecture_exist():
    text = (REPOSITORY / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    modules = set(re.findall(r"`(?:workflow/scripts/blastfold/)?(\w+/(?:\w+/)?\w+\.py)`", text))
    assert modules
    assert {name for name in modules if not (SCRIPTS / "blastfold" / name).exists()} == set()


@pytest.mark.parametrize("caption", CAPTIONS, ids=lambda path: path.stem)
def test_captions_are_used_and_free_of_faults(caption):
    rules = [REPOSITORY / "Snakefile", *(REPOSITORY / "rules").glob("*.smk")]
    assert any(f"workflow/report/{caption.name}" in rule.read_text("utf-8") for rule in rules)
    names = ("ablation", "dataset", "external", "model", "protocol", "slide", "smears", "stain")
    wildcards = dict.fromkeys(names, "name")
    kinds = ("ablation", "dataset", "model", "protocol", "positive", "both", "described")
    titles = {kind: {"name": r"A \*title\*"} for kind in kinds}
    config = {"title": "T", "datasets": {"d": {}}, "seed": 1, "titles": titles}
    job = {"wildcards": wildcards, "config": config}
    template = jinja2.Template(caption.read_text("utf-8"), undefined=jinja2.StrictUndefined)
    # Level 2 is a warning: docutils raises an error for it.
    docutils.core.publish_string(
        template.render(snakemake=job, categories={}),
        writer="null",
        settings_overrides={"halt_level": 2},
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("results CONFIG=my.yaml", '--cores all --resources gpu=1 --configfile "my.yaml"'),
        ("results CORES=8", "snakemake --cores 8 --resources gpu=1 \n"),
        ("report", 'snakemake --report "report.html"'),
        ("report CONFIG=config/my.yaml", '--report "report_my.html"'),
        ("report CONFIG=my.yaml REPORT=a.zip", '--report "a.zip" --configfile "my.yaml"'),
        ("check CONFIG=my.yaml", 'blastfold.planning.check_command "my.yaml"'),
        ("new DATA=cells", 'blastfold.planning.new_config "cells"'),
    ],
)
def test_make_hands_the_config_on(words, expected):
    command = ["make", "--no-print-directory", "--dry-run", *words.split()]
    printed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert expected in printed.stdout
