"""The experiment that all rules ask, and what needs Snakemake's own functions; no rules here."""

import gc
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# A plan is made of millions of objects that live as long as it does. Looking for garbage among them
# as often as Python does by itself takes a tenth of the time of planning.
gc.set_threshold(50_000, 20, 20)


def checkout(basedir):
    """The folder of the repository; a hosted source (`github(...)`) is unpacked once per commit."""
    if isinstance(basedir, (str, os.PathLike)):
        return Path(basedir) / ".."
    repository = basedir.hosted_repo.repo
    commit = repository.git.rev_parse(f"{basedir.ref}^{{commit}}")
    folder = Path(workflow.sourcecache.cache_path) / "blastfold" / commit
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, whoever else unpacks it at the same time.
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            packed = Path(unfinished) / "all.tar"
            with packed.open("wb") as file:
                repository.archive(file, commit)
            with tarfile.open(packed) as archive:
                archive.extractall(Path(unfinished) / "all", filter="data")
            try:
                (Path(unfinished) / "all").replace(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    return folder


HOSTED = not isinstance(workflow.current_basedir, (str, os.PathLike))
ROOT = checkout(workflow.current_basedir)
SCHEMAS = ROOT / "workflow" / "schemas"
SCRIPTS = (ROOT / "workflow" / "scripts").resolve()
LIBRARY = SCRIPTS / "blastfold"
sys.path.insert(0, str(SCRIPTS))
if HOSTED:
    # Snakemake runs a copy of each script, which finds the library next to the others only here.
    others = filter(None, [os.getenv("PYTHONPATH")])
    os.environ.update(PYTHONPATH=os.pathsep.join([str(SCRIPTS), *others]))

from blastfold.core.console import (
    Durations,
    PlannedJob,
    RunConsole,
    install,
    is_wanted,
    job_name,
    keep_ticking,
)
from blastfold.core.errors import BlastfoldError
from blastfold.core.failures import FailedJob, describe_failures
from blastfold.core.files import digest_file
from blastfold.core.hardware import declared_threads, has_gpu, installed_memory
from blastfold.core.run_watch import QUIET, announce_run, quieten_libraries
from blastfold.datasets.accounting import describe_imports
from blastfold.experiment.citation import citation
from blastfold.experiment.code_digests import rule_digest
from blastfold.experiment.config import check_config
from blastfold.experiment.config_file import check_config_files
from blastfold.experiment.environments import pinned_versions
from blastfold.experiment.experiment import Experiment, one_of
from blastfold.experiment.exports import take_request
from blastfold.experiment.folders import (
    check_results_folder,
    config_names,
    experiment_folders,
    record_experiment,
    settle_dates,
)
from blastfold.experiment.measured_jobs import measured_jobs
from blastfold.experiment.report_titles import escaped_titles, titled
from blastfold.experiment.repository import repository_state
from blastfold.experiment.resources import DAY, counted, memory, run_time, training_time
from blastfold.experiment.smears import take_request as take_smears_request
from blastfold.experiment.targets import Product
from blastfold.planning.machine_checks import urgent_findings
from blastfold.planning.needed_disk import describe_needed_disk
from blastfold.planning.run_plan import describe_plan

WEIGHTS = "resources/weights"

DEFAULT_CONFIG = "config.yaml"

announce_run()
quieten_libraries(workflow.output_settings.verbose)

try:
    check_config_files(workflow.overwrite_configfiles or workflow.configfiles or [DEFAULT_CONFIG])
except BlastfoldError as error:
    raise WorkflowError(str(error)) from None


# A config file given on the command line is complete in itself: nothing of the default
# experiment shines through.
if not workflow.overwrite_configfiles:

    configfile: DEFAULT_CONFIG


# `snakemake smears --config smears=...` and `snakemake export --config model=...`: these keys are about
# the command, not about the experiment.
SMEARS_REQUEST = take_smears_request(config, workflow.config_settings.config)
EXPORT_REQUEST = take_request(config, workflow.config_settings.config)
CONFIGS = config_names(workflow.configfiles or workflow.overwrite_configfiles, Path.cwd(), ROOT)
try:
    config = check_config(config, SCHEMAS / "config.schema.yaml", " + ".join(CONFIGS) or "config")
except BlastfoldError as error:
    raise WorkflowError(str(error)) from None


pathvars:
    **experiment_folders(config.get("name")),


try:
    check_results_folder(workflow.pathvars.get("results"), CONFIGS)
    for folder in () if workflow.remote_exec else (workflow.pathvars.get("results"), WEIGHTS):
        if settled := settle_dates(folder):
            logger.warning(f"{folder}: {settled} dates were in the future and are set to now.")
    experiment = Experiment.read(
        config,
        SCHEMAS / "slides.schema.yaml",
        workflow.pathvars.get("results"),
        public_counts=ROOT / "resources" / "datasets.yaml",
        progress=logger.info,
        export_request=EXPORT_REQUEST,
        smears_request=SMEARS_REQUEST,
    )
    if not workflow.remote_exec:
        logger.info(
            describe_needed_disk(config, experiment.inputs.public_counts, experiment.results)
        )
except BlastfoldError as error:
    raise WorkflowError(str(error)) from None


# Captions of the report take titles from here; the experiment keeps the config without them.
TITLES = {
    **experiment.runs.titles,
    **experiment.readings.captions,
    "ablation": {name: entry["title"] for name, entry in config["ablations"].items()},
}
config = {**config, "titles": escaped_titles(TITLES)}


def answer():
    """The line with the page of results, where it is part of what was asked for and not older."""
    if "write_page" not in {job.rule.name for job in workflow.dag.jobs}:
        return []
    page = Path(experiment.results) / "index.html"
    return [f"The answer: {page.resolve().as_uri()}"]


# Snakemake's own lines stay with --verbose, with --quiet on the command line and in dry runs.
CONSOLE = None
if workflow.exec_mode.name == "DEFAULT":
    shown = workflow.output_settings
    if is_wanted(shown.quiet, shown.verbose, shown.dryrun):
        console = RunConsole(
            Durations(Path(workflow.pathvars.get("benchmarks")) / "seconds.json"),
            workflow.resource_settings.cores or workflow.resource_settings.nodes or 1,
            answer=answer,
        )
        CONSOLE = console if install(logger, console) else None
    os.environ[QUIET] = "1" if CONSOLE else ""


def planned_jobs():
    """The jobs of this run, with the names of their log files and their threads."""
    folder = workflow.pathvars.get("logs")
    return [
        PlannedJob(
            job.jobid,
            job.rule.name,
            job_name(map(str, job.log), folder, job.rule.name, dict(job.wildcards.items())),
            job.threads,
        )
        for job in workflow.dag.needrun_jobs()
    ]


# Neither in a dry run nor in the processes of single jobs.
onstart:
    record_experiment(experiment.results, CONFIGS)
    if workflow.local_exec:
        # The limit of jobs per second is meant for clusters. With it Snakemake 9 wakes once a second for
        # every job that has finished, and after 170 jobs this takes a sixth of a core.
        workflow.scheduler.job_rate_limiter = None
    if CONSOLE:
        jobs = planned_jobs()
        asked = f"make estimate CONFIG={CONFIGS[0]}" if CONFIGS else "make estimate"
        device = "GPU" if TRAINS_ON_GPU else "CPU"
        machine = (device, CONSOLE.cores)
        known = experiment.inputs.public_counts
        request = experiment.smears.request_lines()
        plan = describe_plan(
            config, known, experiment.results, jobs, machine, CONSOLE.durations, asked, request
        )
        CONSOLE.begin(plan, jobs)
        keep_ticking(logger, CONSOLE)
    for finding in urgent_findings(ROOT.resolve(), Path(experiment.results)):
        logger.warning(str(finding))


# The account of every import, and where the answer is, are also the end of the run.
onsuccess:
    if CONSOLE:
        CONSOLE.end([])
    # A command about photographs is not about the experiment.
    outcome = experiment.smears.outcome(experiment.results)
    imported = describe_imports(experiment.results, experiment.inputs.imported)
    for line in outcome or [*imported, *answer()]:
        logger.info(line)


onerror:
    if CONSOLE:
        CONSOLE.end([])
    failed_jobs = [
        FailedJob(job.rule.name, dict(job.wildcards.items()), list(map(str, job.log)))
        for member in workflow.scheduler.failed
        for job in getattr(member, "jobs", [member])
    ]
    not_done = sum(not workflow.dag.finished(job) for job in workflow.dag.needrun_jobs())
    logger.error(describe_failures(failed_jobs, not_done - len(failed_jobs)))


wildcard_constraints:
    **experiment.wildcard_constraints(),


# On a cluster, where this machine says nothing about the nodes, set device: gpu.
TRAINS_ON_GPU = config["device"] == "gpu" or (config["device"] == "auto" and has_gpu())
CORES = None if workflow.remote_exec else workflow.resource_settings.cores
# What a training, or a job like one, declares to the scheduler. With a GPU the threads prepare
# images. Without one a job computes with the config's threads, and declares more where the memory
# of this machine is not enough for as many jobs as it has cores; results do not depend on this.
TRAINING_THREADS = (
    8
    if TRAINS_ON_GPU
    else (
        declared_threads(config["threads"], CORES, installed_memory())
        if CORES
        else config["threads"]
    )
)

# Jobs that read many images take half of the cores. With all of them they would wait for the end of
# every training, and whatever needs them with them.
IMAGE_THREADS = max(1, min(8, CORES // 2)) if CORES else 8

# Imports, audits and splits, which check what the config asks of the images: hours of training are
# not spent before a mistake there is found.
CHECKED_FIRST = 10

# What many jobs wait for, and the longest jobs: begun late, they would end alone.
TRAINED_EARLY = 5

# The measurement of networks, which asks for all cores.
MEASURED_LAST = -10


def feature_folder(path):
    """A folder of features, which is removed after the last head unless the config keeps it."""
    return directory(path) if config["keep_features"] else temp(directory(path))


def code_digest(script):
    """The digest of a rule's script with all of the library that it reaches."""
    return rule_digest(SCRIPTS / f"{script}.py", LIBRARY)


def pinned(environment, *packages):
    """The versions of packages that results depend on."""
    return pinned_versions(ROOT / "envs" / f"{environment}.yaml", packages)


def resource_digests(*names):
    """Digests of files of resources/, whose dates do not count."""
    return [digest_file(ROOT / "resources" / name) for name in names]


# What the rules declare; the targets `tables` and `figures` ask for all of it.
PRODUCTS = {"tables": [], "figures": []}
FIGURE_CAPTIONS = {}


def every(kind, *endings):
    """An input function, since rules are still being read: all tables or figures."""
    return lambda wildcards: experiment.targets.shown(PRODUCTS[kind], endings)


def reported(path, **entry):
    """An output that is shown in the report, under titles and not under the config's names."""
    return report(path, **titled(entry, TITLES))


def figure_files(name, shown="svg", where=None, **entry):
    """A figure in all its formats, of which one is shown in the report."""
    PRODUCTS["figures"].append(Product.declared("figures", name, entry["category"], where))
    FIGURE_CAPTIONS[name] = Path(entry["caption"]).stem
    paths = {ending: f"<results>/figures/{name}.{ending}" for ending in ("pdf", "svg", "png")}
    return list((paths | {shown: reported(paths[shown], **entry)}).values())


def table_files(name, where=None, **entry):
    """A table in all its formats, of which the page is shown in the report."""
    PRODUCTS["tables"].append(Product.declared("tables", name, entry["category"], where))
    path = f"<results>/tables/{name}"
    exact = [f"{path}.{ending}" for ending in ("tsv", "tex", "md")]
    return [*exact, reported(f"{path}.html", **entry)]


def locked_tables(name, title):
    """A table of locked tests, which no other target asks for."""
    shown = dict(category="Evaluation", subcategory="Locked test", labels={"table": title})
    path = f"<results>/locked_test/{name}"
    caption = "../workflow/report/locked_test.rst"
    exact = [f"{path}.{ending}" for ending in ("tsv", "tex", "md")]
    return [*exact, reported(f"{path}.html", caption=caption, **shown)]
