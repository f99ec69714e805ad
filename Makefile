# make setup | demo | demo-quick | test | test-all | lint | lock   (README.md says what each does)
# make explain | resume | prune | store-stats | store-verify   [STUDY=studies/quick.yaml]
PYTHON ?= python3.11
BIN := .venv/bin
SNAKEMAKE = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake

COMMAND = PYTHONPATH=workflow $(BIN)/python -m clearminds.commands
GIVEN = $(if $(STUDY),--configfile $(STUDY))

.PHONY: setup setup-test demo demo-quick explain resume prune store-stats store-verify test test-all lint lock schema envs

setup: .venv/.lock

# the lock is installed again only when it changed
.venv/.lock: requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.lock
	touch $@

setup-test: setup .venv/.lock-test

.venv/.lock-test: requirements-test.lock .venv/.lock
	$(BIN)/pip install --quiet --requirement requirements-test.lock
	touch $@

demo: setup
	$(SNAKEMAKE) --cores all

demo-quick: setup
	$(SNAKEMAKE) --cores all --configfile studies/quick.yaml

# what would run, and why
explain: setup
	$(COMMAND).explain $(GIVEN)

# goes on after a kill
resume: setup
	$(COMMAND).resume --cores all $(GIVEN)

# results of what the study no longer names: lists them, and removes them with YES=1
prune: setup
	$(COMMAND).prune $(GIVEN) $(if $(YES),--yes)

store-stats: setup
	$(COMMAND).store_stats $(GIVEN)

store-verify: setup
	$(COMMAND).store_verify $(GIVEN)

test: setup-test
	$(BIN)/python -m pytest -n auto -m "not slow"

test-all: setup-test
	$(BIN)/python -m pytest -n auto

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(SNAKEMAKE) --lint

# after a change of pyproject.toml; envs/*.yaml follow the lock, the schema follows the config models
lock: setup-test
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --strip-extras --annotation-style line --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --no-emit-options --no-header --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --annotation-style line --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --no-emit-options --no-header --extra test --constraint requirements.lock \
	  --output-file requirements-test.lock pyproject.toml
	sed -i 's/^\(torch==[0-9.]*\)+cpu/\1/' requirements.lock requirements-test.lock
	$(MAKE) envs

envs:
	PYTHONPATH=workflow $(BIN)/python -m clearminds.conda_envs

schema:
	PYTHONPATH=workflow $(BIN)/python -m clearminds.config_schema
