# The set-up of Blastfold in a few commands; `make` without a target lists them.

# Any Python 3 is enough to start with. The environment's own Python 3.11 is this one, another one
# on this machine, or one that uv downloads.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= all
CONFIG ?= config.yaml
# One report for each experiment, so that none overwrites another.
REPORT ?= $(if $(subst config.yaml,,$(CONFIG)),report_$(basename $(notdir $(CONFIG))).html,report.html)
PROCESSES ?= logical

# The default experiment's config is Snakemake's own choice.
# Snakemake ends with a Python traceback where a config is no YAML; this names the line.
CONFIG_READS = PYTHONPATH=workflow/scripts $(BIN)/python -m blastfold.experiment.config_file "$(CONFIG)"
CHOSEN = $(if $(subst config.yaml,,$(CONFIG)),--configfile "$(CONFIG)")

# `make env GPU=1` is remembered until `make env GPU=0`.
ENVIRONMENT := .venv
GPU ?= $(if $(wildcard $(ENVIRONMENT)/gpu),1,0)
LOCK := $(if $(filter 1,$(GPU)),requirements-gpu.lock,requirements.lock)
INSTALLED := $(ENVIRONMENT)/installed.lock

BIN := $(ENVIRONMENT)/bin
# Snakemake starts itself and the rules' shell commands by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)

UV_COMPILE := uv pip compile --quiet --no-config --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"

.PHONY: help env results report new check estimate power doctor audit printed onnx test test-slurm benchmark lint format manual lock clean

help: ## List these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

env: ## Create the locked environment in .venv (GPU=1: with CUDA); does nothing when it is up to date.
	@cmp -s "$(LOCK)" "$(INSTALLED)" || "$(MAKE)" --no-print-directory install

# Rules depend on `env` and not on this rule, so that an unchanged lock costs nothing and needs no
# network. TensorFlow takes 7 s to import with its byte code and 21 s without. Where
# PYTHONDONTWRITEBYTECODE is set, only --compile-bytecode writes byte code.
.PHONY: install
install:
	@test -x $(BIN)/uv || $(MAKE) --no-print-directory bootstrap
	@rm -f $(INSTALLED) $(ENVIRONMENT)/gpu
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode $(LOCK)
	@if test "$(GPU)" = 1; then touch $(ENVIRONMENT)/gpu; fi
	@cp $(LOCK) $(INSTALLED)

# An empty environment that has only uv, in the version and with the hashes of the lock.
.PHONY: bootstrap
bootstrap:
	@test -n "$(PYTHON)" || { echo "No Python 3 was found; name one: make env PYTHON=<path>"; exit 1; }
	@start=$$(mktemp -d) && trap 'rm -rf "$$start"' EXIT && \
	"$(PYTHON)" -m venv "$$start" && \
	awk '/^[^ ]/ {wanted = /^uv==/} wanted' $(LOCK) > "$$start/uv.txt" && \
	"$$start/bin/python" -m pip install --quiet --require-hashes -r "$$start/uv.txt" && \
	if "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; \
	then python="$(PYTHON)"; else python=3.11; fi && \
	"$$start/bin/uv" venv --quiet --clear --python "$$python" $(ENVIRONMENT) && \
	"$$start/bin/uv" pip install --quiet --python $(BIN)/python --require-hashes -r "$$start/uv.txt"

results: env ## Run an experiment; CONFIG=config/thesis.yaml, else the default one; CORES=8 limits it.
	@$(CONFIG_READS)
	$(BIN)/snakemake --cores $(CORES) --resources gpu=1 $(CHOSEN)

report: env ## Write the report of a finished experiment; CONFIG=, REPORT=report.zip for a large one.
	@$(CONFIG_READS)
	$(BIN)/snakemake --report "$(REPORT)" $(CHOSEN) || { echo "A report needs a finished \
	experiment: make results CONFIG=$(CONFIG)" >&2; exit 1; }
	@echo "The report: file://$(abspath $(REPORT))"

new: env ## Write a config for a folder of images: DATA=<folder>, NAME=<name>, POSITIVE=<classes>.
	@test -n "$(DATA)" || { echo "Name the images: make new DATA=<folder>"; exit 1; }
	@PYTHONPATH=workflow/scripts $(BIN)/python -m blastfold.planning.new_config "$(DATA)" \
		$(if $(NAME),--name "$(NAME)") $(if $(POSITIVE),--positive "$(POSITIVE)")

check: env ## Import, split and audit the data of an experiment, and print its plan; trains nothing.
	@PYTHONPATH=workflow/scripts $(BIN)/python -m blastfold.planning.check_command "$(CONFIG)" \
		--cores $(CORES)

estimate: env ## Print the expected time of an experiment, after minutes of timing; CONFIG=config/thesis.yaml, DEVICE=cpu or gpu.
	@PYTHONPATH=workflow/scripts $(BIN)/python -m blastfold.planning.estimate_command "$(CONFIG)" \
		$(if $(DEVICE),--device $(DEVICE))

power: env ## Print the subjects that a difference needs; CONFIG=, DIFFERENCE=5 (points), METRIC=accuracy.
	@test -n "$(DIFFERENCE)" || { echo "Name the difference in points: make power DIFFERENCE=5"; exit 1; }
	@PYTHONPATH=workflow/scripts $(BIN)/python -m blastfold.planning.power "$(CONFIG)" \
		--difference "$(DIFFERENCE)" $(if $(METRIC),--metric "$(METRIC)")

doctor: env ## Check this machine for an experiment; CONFIG=config/thesis.yaml, PROFILE=profiles/slurm.
	@PYTHONPATH=workflow/scripts $(BIN)/python -m blastfold.planning.doctor "$(CONFIG)" \
		$(if $(PROFILE),--profile "$(PROFILE)")

audit: env ## Judge a split without training: IMAGES=<folder> SPLIT=<sheet or folder with train and test>.
	@test -n "$(IMAGES)" || { echo "Name the images: make audit IMAGES=<folder> SPLIT=<split>"; exit 1; }
	@PYTHONPATH=workflow/scripts $(BIN)/python -m blastfold.reporting.audit_command "$(IMAGES)" \
		$(if $(SPLIT),--split "$(SPLIT)") $(if $(OUTPUT),--output "$(OUTPUT)") \
		$(if $(PATTERN),--pattern '$(PATTERN)')

printed: env ## Judge printed results of classes: SHEET=<tab-separated: result, class, images, recall, accuracy>.
	@test -n "$(SHEET)" || { echo "Name the sheet: make printed SHEET=<sheet>"; exit 1; }
	@PYTHONPATH=workflow/scripts $(BIN)/python -m blastfold.reporting.printed_command "$(SHEET)"

onnx: env ## Write a Keras backbone as ONNX: ARCHITECTURE=mobilenet_v2 WEIGHTS=<file> SIZE=96 OUTPUT=<file>.
	@test -n "$(and $(ARCHITECTURE),$(WEIGHTS),$(SIZE),$(OUTPUT))" || { echo "Name the network and its files: \
	make onnx ARCHITECTURE=mobilenet_v2 WEIGHTS=<file> SIZE=96 OUTPUT=<file>"; exit 1; }
	@PYTHONPATH=workflow/scripts $(BIN)/python -m blastfold.training.keras_to_onnx \
		--architecture "$(ARCHITECTURE)" --weights "$(WEIGHTS)" --size $(SIZE) --output "$(OUTPUT)"

# A file of tests stays in one process, since its tests share what they computed; the files are
# taken in the order of tests/conftest.py, where the longest come first. More than 8 processes would
# need more than 16 GB, as most of them load TensorFlow.
test: env ## Run the tests, one process per core (PROCESSES=1); BLASTFOLD_TEST_DATA=<folder> adds real images.
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --maxprocesses 8 --dist loadfile \
		--no-loadscope-reorder

.PHONY: test-faults
test-faults: env ## Try damaged files and interrupted runs, under 30 minutes; FULL=1 tries ten times as many.
	BLASTFOLD_FAULTS=$(if $(filter 1,$(FULL)),full,long) $(BIN)/python -m pytest -rA \
		--numprocesses $(PROCESSES) --maxprocesses 8 tests/faults

test-slurm: env ## Run the tests on a SLURM of this machine alone; as root, on Debian. Skipped elsewhere.
	$(BIN)/python -m pytest tests/slurm

benchmark: env ## Measure speed, memory and coverage of intervals, and print the results.
	$(BIN)/python -m pytest -s tests/benchmarks

# Text for people. Phrases to avoid are in .ci/words.txt.
PROSE := $(wildcard *.md *.in *.toml *.cff) Makefile Snakefile config.yaml .ci config docs envs profiles \
	resources/*.* resources/checklists results/README.md workflow/report workflow/schemas

lint: env ## Check style, words and the workflow's form; changes nothing.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile rules workflow/Snakefile
	PYTHONPATH=workflow/scripts $(BIN)/lint-imports
	$(BIN)/snakemake --lint
	$(BIN)/codespell $(PROSE) rules tests workflow
	$(BIN)/python .ci/check_words.py

format: env ## Format all code.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/snakefmt Snakefile rules workflow/Snakefile

manual: env ## Update the tables of config/README.md from the config schema.
	PYTHONPATH=workflow/scripts $(BIN)/python -m blastfold.experiment.manual config/README.md workflow/schemas/config.schema.yaml

# The CPU lock is for Linux and for macOS with an ARM processor. The GPU lock has the same versions
# for all common packages.
lock: env ## Solve requirements*.in again; UPGRADE=--upgrade for the newest allowed versions.
	$(BIN)/$(UV_COMPILE) $(UPGRADE) --universal requirements-cpu.in --output-file requirements.lock
	$(BIN)/$(UV_COMPILE) $(UPGRADE) --python-platform x86_64-manylinux_2_28 \
		--constraint requirements.lock requirements-gpu.in --output-file requirements-gpu.lock

clean: ## Delete the environment and Snakemake's state; results stay.
	rm -rf $(ENVIRONMENT) .snakemake
