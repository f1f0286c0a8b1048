# `make` alone lists the targets. GNU make.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.stamp
CODE := jobd jobctl sidecar scripts tests
PYTEST_ARGS ?=
# Tests mostly wait, so that two processes a core keep it busy. Files stay whole: their tests share daemons.
PROCESSES ?= $(shell echo $$(( 2 * $$(nproc 2>/dev/null || echo 1) )))
BESIDE := --numprocesses $(PROCESSES) --maxprocesses 8 --dist loadfile --no-loadscope-reorder
# Each start of a program would compile all of its code anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help venv engine engine-stop images demo test test-browser test-unit test-integration test-e2e faults soak dev bench lint format types imports \
	docs generated lock sbom audit monitoring monitoring-stop install-hooks clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## Make .venv with the project and all that its tests need
$(STAMP): pyproject.toml requirements/ci.txt scripts/venv
	@scripts/venv $(VENV)

engine: ## Find a container engine, or install and start one (root, Debian or Ubuntu)
	@scripts/engine
engine-stop: ## Stop the engine, if `make engine` started it
	@scripts/engine stop

images: venv engine ## Pull or build the images that demo and tests use
	@$(PY) -m scripts.images

demo: images ## Run the main job on real public data, end to end, and check every result
	@$(PY) -m scripts.demo

test: images ## All tests but the slow faults, the real engine included
	@$(PY) -m pytest tests -m "not fault or fast" $(BESIDE) $(PYTEST_ARGS)
test-unit: venv ## Unit tests: no engine, no network
	@$(PY) -m pytest tests/unit $(PYTEST_ARGS)
test-integration: images ## Contract and integration tests: real engine, SQLite and HTTP
	@$(PY) -m pytest tests/contract tests/integration tests/security -m "not fault" $(BESIDE) $(PYTEST_ARGS)
test-e2e: images ## Whole programs, happy paths
	@$(PY) -m pytest tests/e2e $(BESIDE) $(PYTEST_ARGS)
test-browser: venv ## What a web page in a real browser can do to jobd: nothing (needs Chromium)
	@command -v chromium-headless-shell chromium chromium-browser google-chrome >/dev/null || \
		{ echo "no Chromium here; on Debian: apt-get install --no-install-recommends chromium-headless-shell (100 MB)"; exit 1; }
	@BROWSER_TESTS=required $(PY) -m pytest tests/security/test_browser.py $(PYTEST_ARGS)
faults: images ## The whole fault matrix with real faults, and its table (minutes)
	@$(PY) -m pytest tests -m fault $(PYTEST_ARGS)

soak: images ## Half an hour of all kinds of jobs beside random faults, watched from outside (SOAK_SECONDS, SOAK_SEED)
	@$(PY) -m tests.soak

dev: images ## jobd with hot reload, state in .dev/, no API key, loopback only
	@mkdir -p .dev
	@echo "jobctl --host unix://$(CURDIR)/.dev/jobd.sock   or   http://127.0.0.1:8080"
	@SHUTDOWN_DRAIN_WAIT=0s exec $(PY) -m watchfiles --filter python --sigint-timeout 15 \
		"$(PY) -m jobd --no-auth --state-dir .dev --socket .dev/jobd.sock" jobd
bench: images ## Measure the budgets as ratios, side by side; table and build/bench.json
	@$(PY) -m scripts.bench

lint: venv types imports generated ## All static checks: style, types, import rule, generated files, docs
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m scripts.check_docs
types: venv
	@$(PY) -m mypy $(CODE)
imports: venv
	@$(VENV)/bin/lint-imports
generated: venv
	@$(PY) -m scripts.generate_docs --check
format: venv ## Rewrite the code in the house style
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .
docs: venv ## Write man pages and completions from the code; check links and tables of docs/
	@$(PY) -m scripts.generate_docs
	@$(PY) -m scripts.check_docs --write

lock: ## Write requirements/ci.txt: every package in one version, with its hashes
	@python3 -m venv build/lock && build/lock/bin/pip install --quiet --disable-pip-version-check uv
	@build/lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra dev --no-annotate \
		--custom-compile-command "make lock" --output-file requirements/ci.txt pyproject.toml requirements/build.in
sbom: venv ## Write build/sbom.json: what jobd, jobctl and the sidecar are made of (CycloneDX)
	@$(PY) -m scripts.sbom
audit: ## Ask the public database for known weaknesses of the locked packages
	@scripts/audit

monitoring: ## Prometheus on :9091 and Grafana on :3000, dashboard included
	@docker compose -f deploy/compose.yaml up -d
monitoring-stop: ## Stop them and remove their containers
	@docker compose -f deploy/compose.yaml down

install-hooks: venv ## Run lint and unit tests before each commit
	@$(VENV)/bin/pre-commit install
clean: ## Remove what make made here (not the engine, not its images)
	@rm -rf $(VENV) build dist .dev .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
