"""The printed tables of the results page and its list of all files."""

import base64
from collections.abc import Mapping, Sequence

import pandas as pd

from blastfold.reporting.page.study import Study
from blastfold.reporting.publication.wording import count, duration, sentence
from blastfold.reporting.tables.compute_cost import ALL, COLUMNS
from blastfold.reporting.tables.writing import heading_of

COST_TABLES = ("network_cost", "compute_cost")
"""Tables of costs, in the order in which they are shown; those that do not exist are left out."""


def printed_tables(study: Study, *names: str) -> list[dict]:
    """Return the printed tables that exist, with their names."""
    found = ((name, study.sources.shown(name)) for name in names)
    return [{"name": name, "table": table} for name, table in found if table is not None]


def cost_section(study: Study) -> dict:
    """Return the cost of computing: a sentence and the tables that there are."""
    costs = study.sources.table("tables/compute_cost")
    text = "" if costs is None else cost_sentence(costs)
    quality = [part for name in study.datasets if (part := _efficiency(study, name))]
    return {"text": text, "quality": quality, "tables": printed_tables(study, *COST_TABLES)}


def cost_sentence(costs: pd.DataFrame) -> str:
    """Return what all jobs cost together, from the total of the table of costs."""
    totals = costs[(costs[list(COLUMNS)] == ALL).all(axis=1)]
    if totals.empty:
        return ""
    total = totals.iloc[-1]
    largest = total["peak_memory_mb"]
    memory = f"; the largest used {largest / 1000:.1f} GB of memory" if largest > 0 else ""
    seconds = duration(float(total["seconds"]))
    jobs = count(int(total["jobs"]), "job")
    return (
        f"The {jobs} that import, audit and train took {seconds} together{memory}. Evaluation, "
        "tables and figures are not counted."
    )


def _efficiency(study: Study, dataset: str) -> dict:
    """Return accuracy against cost of one data set; empty where it was not compared."""
    table = study.sources.table(f"tables/{dataset}/efficiency")
    if table is None:
        return {}
    return {
        "title": study.title("dataset", dataset),
        "verdicts": [
            sentence(f"{row['model_title']}: {row['compared']}")
            for _, row in table.iterrows()
            if row["compared"]
        ],
        "figure": drawn_figure(study, f"{dataset}/efficiency"),
        "tables": printed_tables(study, f"{dataset}/efficiency"),
    }


def drawn_figure(study: Study, name: str) -> str:
    """Return a figure of the experiment as SVG in base64 text; empty where there is none."""
    path = study.sources.path(f"figures/{name}.svg")
    return base64.b64encode(path.read_bytes()).decode("ascii") if path else ""


def file_section(study: Study) -> list[dict]:
    """Return all tables and figures, by data set, protocol and model.

    Returns:
        Dicts with title and files: dicts with title and links (ending and path).
    """
    groups: dict[tuple[str, ...], dict[str, dict[str, str]]] = {}
    for kind in ("tables", "figures"):
        for name in study.sources.below(kind, ""):
            stem, _, ending = name.rpartition(".")
            _, *folders, last = stem.split("/")
            links = groups.setdefault(tuple(folders), {}).setdefault(last, {})
            links[ending] = name
    return [
        {"title": _folder_title(study.about["titles"], folders), "files": _files(study, files)}
        for folders, files in sorted(groups.items(), key=lambda item: (len(item[0]), item[0]))
    ]


def _files(study: Study, files: Mapping[str, Mapping[str, str]]) -> list[dict]:
    models = study.about["titles"]["model"]
    return [
        {"title": models.get(name, heading_of(name)), "links": sorted(links.items())}
        for name, links in sorted(files.items())
    ]


def _folder_title(titles: Mapping[str, Mapping[str, str]], folders: Sequence[str]) -> str:
    kinds = ("dataset", "protocol", "model")
    known = [
        titles[kind].get(folder, heading_of(folder))
        for kind, folder in zip(kinds, folders, strict=False)
    ]
    return ", ".join(known) or "The whole experiment"
