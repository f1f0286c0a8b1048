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

.PHONY: help venv engine engine-stop kubernetes kubernetes-stop kubernetes-images image images demo test test-whole test-all test-browser test-prometheus test-unit test-integration \
	test-e2e test-systemd test-packages test-kubernetes test-kubernetes-contract deb faults soak dev bench bench-kubernetes bench-scale lint format types imports docs generated transcripts \
	transcripts-check lock sbom audit pictures monitoring monitoring-stop install-hooks clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## Create .venv with the project and its development dependencies
$(STAMP): pyproject.toml requirements/ci.txt scripts/venv
	@scripts/venv $(VENV)

engine: ## Find a container engine, or install and start one (root, Debian or Ubuntu)
	@scripts/engine
engine-stop: ## Stop the engine, if `make engine` started it
	@scripts/engine stop

kubernetes: venv ## Start a real Kubernetes of one node for tests; the first time builds it, some six minutes (root, Debian or Ubuntu)
	@$(PY) -m scripts.kubernetes up
kubernetes-stop: venv ## Stop that Kubernetes and remove its state; its binaries stay in ~/.cache/jobd-kubernetes
	@$(PY) -m scripts.kubernetes down

images: venv engine ## Pull or build the images that demo and tests use
	@$(PY) -m scripts.images

ENGINE ?= docker
demo: images $(if $(filter kubernetes,$(ENGINE)),kubernetes-images) ## Run a job with all kinds of artifacts on public data, and check every result (ENGINE=kubernetes: on the cluster)
	@ENGINE=$(ENGINE) $(PY) -m scripts.demo
kubernetes-images: images kubernetes
	@$(PY) -m scripts.kubernetes load busybox:latest $${SIDECAR_IMAGE:-job-sidecar:latest}

test: images ## Run the unit, contract and integration tests: real engine, SQLite and HTTP; under seven minutes on two cores
	@$(PY) -m pytest tests/unit tests/contract tests/integration -m "not fault" $(BESIDE) $(PYTEST_ARGS)
test-whole: images ## Run the tests of whole programs: end to end, security, fast faults
	@$(PY) -m pytest tests/e2e tests/security tests/faults -m "not fault or fast" $(BESIDE) $(PYTEST_ARGS)
test-all: test test-whole ## Run both
test-unit: venv ## Run the unit tests: no engine, no network
	@$(PY) -m pytest tests/unit $(PYTEST_ARGS)
test-integration: images ## Run the contract, integration and security tests: real engine, SQLite and HTTP
	@$(PY) -m pytest tests/contract tests/integration tests/security -m "not fault" $(BESIDE) $(PYTEST_ARGS)
test-e2e: images ## Whole programs, happy paths
	@$(PY) -m pytest tests/e2e $(BESIDE) $(PYTEST_ARGS)
test-kubernetes-contract: kubernetes-images ## Run the contract suite of the engine port on that Kubernetes
	@KUBERNETES_TESTS=1 $(PY) -m pytest tests/contract -k kubernetes --numprocesses 4 --dist load $(PYTEST_ARGS)
test-kubernetes: test-kubernetes-contract ## Test jobd on a real Kubernetes of one node on this machine (root, Debian or Ubuntu)
	@KUBERNETES_TESTS=1 $(PY) -m pytest tests/kubernetes $(PYTEST_ARGS)
test-browser: venv ## Test in a real browser that web pages have no access to jobd (needs Chromium)
	@command -v chromium-headless-shell chromium chromium-browser google-chrome >/dev/null || \
		{ echo "no Chromium here; on Debian: apt-get install --no-install-recommends chromium-headless-shell (100 MB)"; exit 1; }
	@BROWSER_TESTS=required $(PY) -m pytest tests/security/test_browser.py $(PYTEST_ARGS)
image: venv engine ## Build jobd:VERSION, the image of jobd for a cluster, from Debian 12 packages (needs Debian 12)
	@$(PY) -m scripts.images.daemon
deb: venv ## Build build/jobd_*.deb, the package for Debian 12
	@rm -f build/jobd_*.deb
	@$(PY) -m scripts.deb
test-systemd: images deb ## Test the units on machines with a real systemd, in containers, and the package for Debian (root on Debian; a minute)
	@$(PY) -m tests.systemd.host_image # once, before the tests run side by side
	@SYSTEMD_TESTS=required $(PY) -m pytest tests/systemd --numprocesses 3 --dist loadfile $(PYTEST_ARGS)
test-packages: engine deb ## Test the wheel by pipx and uv, and the package for Debian on a bare root and by lintian (root on Debian, network)
	@PACKAGE_TESTS=required $(PY) -m pytest tests/packages $(PYTEST_ARGS)
test-prometheus: images ## Make each alert fire on a real Prometheus, and ask all queries of the dashboard under load (needs Prometheus; minutes)
	@command -v prometheus >/dev/null || \
		{ echo "no Prometheus here; on Debian: apt-get install --no-install-recommends prometheus"; exit 1; }
	@PROMETHEUS_TESTS=required $(PY) -m pytest tests/prometheus $(PYTEST_ARGS)
faults: images ## Run all fault tests with real faults, and print their table (minutes)
	@$(PY) -m pytest tests -m fault $(PYTEST_ARGS)

soak: images ## Run all kinds of jobs under random faults for half an hour, and check the results (SOAK_SECONDS, SOAK_SEED)
	@$(PY) -m tests.soak

dev: images ## Run jobd with hot reload: state in .dev/, no API key, loopback only
	@mkdir -p .dev
	@echo "jobctl --host unix://$(CURDIR)/.dev/jobd.sock   or   http://127.0.0.1:8080"
	@SHUTDOWN_DRAIN_WAIT=0s exec $(PY) -m watchfiles --filter python --sigint-timeout 15 \
		"$(PY) -m jobd --no-auth --state-dir .dev --socket .dev/jobd.sock" jobd
bench: images ## Run the benchmarks (BENCH="P1 P6": some rows) and compare them with the performance budgets; writes build/bench.json
	@$(PY) -m scripts.bench $(BENCH)

bench-kubernetes: kubernetes-images ## Measure jobs through jobd beside Job objects, on the cluster of the tests
	@$(PY) -m scripts.cluster_bench
bench-scale: kubernetes ## Measure one jobd with a hundred and a thousand jobs at once, on nodes that are only simulated
	@$(PY) -m scripts.cluster_scale

lint: venv types imports generated ## Run all static checks: style, types, imports, generated files, docs
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m scripts.check_docs
types: venv
	@$(PY) -m mypy $(CODE)
imports: venv
	@$(VENV)/bin/lint-imports
generated: venv
	@$(PY) -m scripts.generate_docs --check
format: venv ## Format the code
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .
docs: venv ## Generate man pages, completions and tables from the code; check docs/
	@$(PY) -m scripts.generate_docs
	@$(PY) -m scripts.check_docs --write

transcripts: images ## Run every command of jobctl on a real terminal (tmux) and write docs/cli
	@$(PY) -m scripts.transcripts
transcripts-check: images ## Run them again and compare docs/cli
	@$(PY) -m scripts.transcripts --check

lock: ## Write requirements/ci.txt: one version of every package, with hashes
	@python3 -m venv build/lock && build/lock/bin/pip install --quiet --disable-pip-version-check uv
	@build/lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra dev --no-annotate \
		--custom-compile-command "make lock" --output-file requirements/ci.txt pyproject.toml requirements/build.in
sbom: venv ## Write build/sbom.json, the software bill of materials (CycloneDX)
	@$(PY) -m scripts.sbom
audit: ## Check the locked packages for known vulnerabilities
	@scripts/audit

pictures: images ## Draw docs/pictures from real data: the dashboard under a load of jobs, jobctl on a terminal (needs Prometheus, tmux)
	@$(PY) -m scripts.monitoring
monitoring: ## Start Prometheus on :9091 and Grafana on :3000 with the dashboard
	@docker compose -f deploy/compose.yaml up -d
monitoring-stop: ## Stop Prometheus and Grafana and remove their containers
	@docker compose -f deploy/compose.yaml down

install-hooks: venv ## Install the git hook that runs lint and unit tests before each commit
	@$(VENV)/bin/pre-commit install
clean: ## Remove the files that make has created here (not the engine, not its images)
	@rm -rf $(VENV) build dist .dev .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
