# Every target works from a fresh clone: it installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := infra/requirements
# Most tests wait for processes: a few more workers than processors keep both busy.
WORKERS ?= 4
UV := $(BIN)/uv

.DEFAULT_GOAL := help
.PHONY: help setup run test suite compiled check lint types imports lock bench forest build-functions deploy-local sam-validate screenshot clean

# What one process compiles, the next ones read.
unexport PYTHONDONTWRITEBYTECODE

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(UV): $(LOCKS)/uv.txt
	@echo "Creating $(VENV) and fetching the installer"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Outcry needs Python 3.11 to 3.13; {sys.executable} is {v[0]}.{v[1]}. Name another with PYTHON=")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/uv.txt
	@touch $@

$(VENV)/.run: $(UV) $(LOCKS)/run.txt
	@echo "Installing what Outcry runs on"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $(LOCKS)/run.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
ifeq ($(FIX),source)
	@echo "Compiling the official FIX engine (about ten minutes)"
	@$(UV) pip uninstall --quiet --python $(BIN)/python quickfix-tls
	@$(UV) pip install --quiet --python $(BIN)/python --no-binary quickfix quickfix==1.16.0
endif
	@touch $@

$(VENV)/.test: $(VENV)/.run $(LOCKS)/test.txt
	@echo "Installing what the tests need"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $(LOCKS)/test.txt
	@touch $@

$(VENV)/.kafka: $(VENV)/.run $(LOCKS)/kafka.txt
	@echo "Installing what streams on Kafka need"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $(LOCKS)/kafka.txt
	@touch $@

$(VENV)/.clickhouse: $(VENV)/.run $(LOCKS)/clickhouse.txt
	@echo "Installing ClickHouse (180 MB)"
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r $(LOCKS)/clickhouse.txt
	@touch $@

setup: $(VENV)/.run $(if $(KAFKA),$(VENV)/.kafka) $(if $(CLICKHOUSE),$(VENV)/.clickhouse)  ## install into .venv (FIX=source compiles the official FIX engine, KAFKA=yes adds Kafka's client, CLICKHOUSE=yes keeps candles)

run: setup  ## start everything and open the terminal (UP="--rate 1000" passes options on)
	@$(BIN)/outcry up $(UP)

# mypy has one processor; the tests begin on the other.
test: $(VENV)/.test $(VENV)/.clickhouse  ## install, check and run every test
	@$(MAKE) --no-print-directory --jobs=2 suite check

suite: compiled
	@$(BIN)/pytest --numprocesses=$(WORKERS)

# Before the workers begin, each of which would compile everything by itself: four times 13 s of a
# processor. What can't be collected, the suite itself tells.
compiled: $(VENV)/.test $(VENV)/.clickhouse
	@$(BIN)/pytest --collect-only -qq > /dev/null 2>&1 || true

check: lint types imports  ## ruff, mypy strict and the import rules

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.test
	@$(BIN)/mypy

imports: $(VENV)/.test
	@$(BIN)/lint-imports

lock: $(UV)  ## resolve every requirement again, with hashes and no index addresses
	@infra/requirements/lock $(UV)

build-functions: setup  ## build the functions' artifacts into build/ (PYTHON313 names the compiler)
	@$(BIN)/python -m infra.aws.build $(if $(PYTHON313),--python $(PYTHON313))

deploy-local: setup  ## deploy template.yaml to the LocalStack at ENDPOINT, beside the running stack
	@$(BIN)/python -m infra.aws.deploy_local $(or $(ENDPOINT),http://127.0.0.1:4566)

# In an environment of its own: it would downgrade ours.
build/sam/.ready: $(UV) $(LOCKS)/sam.txt
	@$(PYTHON) -m venv build/sam
	@$(UV) pip install --quiet --python build/sam/bin/python --require-hashes -r $(LOCKS)/sam.txt
	@touch $@

sam-validate: build/sam/.ready $(VENV)/.run  ## check template.yaml with SAM and cfn-lint
	@SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=ap-south-1 build/sam/bin/sam validate --lint
	@$(BIN)/cfn-lint template.yaml

bench: $(VENV)/.test  ## measure each stage beside its baseline (STAGE=name runs one)
	@$(BIN)/python -m tests.bench $(STAGE)

$(VENV)/.forest: $(VENV)/.run $(LOCKS)/forest.txt
	@echo "Installing what grows the forest"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $(LOCKS)/forest.txt
	@touch $@

forest: $(VENV)/.forest  ## grow the fraud watch's forest anew on simulated days
	@$(BIN)/python -m infra.surveillance.grow_forest

screenshot: setup  ## take the README's picture of a running stack's terminal
	@$(BIN)/outcry screenshot tui/screenshot.svg

clean:  ## remove what make made (not the state in OUTCRY_HOME)
	rm -rf $(VENV) build
