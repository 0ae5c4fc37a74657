# Everything here also works by hand: see CONTRIBUTING.md. `make` alone lists the targets.

UV_VERSION := 0.13.9
# Python that pyenv keeps off PATH: last, so that it only fills gaps.
empty :=
PYENV := $(subst $(empty) ,:,$(wildcard $(HOME)/.pyenv/versions/*/bin))
export PATH := $(CURDIR)/.venv/bin:$(PATH):$(PYENV)
export PYTHONPATH := molecule/shared

UV := $(shell uv --version > /dev/null 2>&1 && echo uv || echo .tools/bin/uv)
PROGRAM := .venv/bin/python -m bench
SCENARIOS := $(patsubst molecule/%/molecule.yml,%,$(wildcard molecule/*/molecule.yml))

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: demo
demo: .venv/.synced ## a throw-away server with the sample application, at https://demo.slipway.localhost:8443/
	@$(PROGRAM) demo

.PHONY: demo-deploy
demo-deploy: .venv/.synced ## deploy what lies in example/ to the demo: make demo-deploy VERSION=2
	@test -n "$(VERSION)" || { echo "Say which version: make demo-deploy VERSION=2"; exit 1; }
	@$(PROGRAM) demo-deploy "$(VERSION)"

.PHONY: demo-down
demo-down: .venv/.synced ## remove the demo's server, keep images and caches
	@$(PROGRAM) demo-down

.PHONY: dev
dev: .venv/.synced ## the sample application while you change it: http://localhost:3000 and :8000
	@$(PROGRAM) dev

.PHONY: dev-reset
dev-reset: .venv/.synced ## throw the development database away, and seed a new one
	@$(PROGRAM) dev-reset

.PHONY: dev-check
dev-check: .venv/.synced ## try the development environment in a browser: edits that show, and how fast
	@$(PROGRAM) dev-check

# Two at a time, the longest first. What failed is said last: by then its own output is far up.
.PHONY: test
test: export FAILED_TESTS := $(CURDIR)/.failed-tests
test: .venv/.synced .venv-other/.synced ## everything that CI asks for
	@: > $(FAILED_TESTS)
	@$(MAKE) --no-print-directory --jobs=2 molecule-roll molecule-default molecule-other example unit unit-other lint \
	  || { printf '\nTests that failed; make names the target above:\n'; cat $(FAILED_TESTS); exit 1; }

.PHONY: lint
lint: .venv/.synced ## linters and types
	ruff check .
	ruff format --check .
	mypy
	yamllint --strict .
	ansible-lint
	hadolint $$(find example molecule -name Dockerfile)
	actionlint .github/workflows/*.yml example/.github/workflows/*.yml
	zizmor --offline --quiet --persona=auditor .github example/.github/workflows

.PHONY: unit
unit: .venv/.synced ## tests that need no server
	pytest --quiet tests

.PHONY: unit-other
unit-other: export PATH := $(CURDIR)/.venv-other/bin:$(PATH)
unit-other: .venv-other/.synced ## the same on the other ansible-core
	pytest --quiet tests
	ansible-playbook --syntax-check deploy.yml playbooks/*.yml -i inventories/production

.PHONY: example
example: export UV_VERSION := $(UV_VERSION)
example: .venv/.synced ## the sample application's own linters and tests, in containers
	@$(PROGRAM) prepare
	@$(PROGRAM) example

# One scenario converges on the other ansible-core.
molecule-other: export PATH := $(CURDIR)/.venv-other/bin:$(PATH)
molecule-other: .venv-other/.synced

.PHONY: $(addprefix molecule-,$(SCENARIOS))
$(addprefix molecule-,$(SCENARIOS)): molecule-%: .venv/.synced
	@$(PROGRAM) prepare
	molecule test --scenario-name $*

.PHONY: figures
figures: .venv/.synced ## measure deploys on the demo's server, beside the bare commands
	@$(PROGRAM) figures

.PHONY: soak
soak: .venv/.synced ## 20 deploys under load, 100,000 requests, none lost: make soak SOAK="--deploys=2 --requests=9000"
	@$(PROGRAM) soak $(SOAK)

.PHONY: bench
bench: .venv/.synced ## Slipway beside other ways, under the same load: make bench BENCH="--ways=compose,rollout --rolls=2"
	@$(PROGRAM) peers $(BENCH)

# The shipped workflow files, run by act on a runner of the bench's.
.PHONY: pipeline
pipeline: export UV_VERSION := $(UV_VERSION)
pipeline: .venv/.synced ## a commit's way to production under load: make pipeline PIPELINE_OPTIONS=--faults
	@$(PROGRAM) pipeline $(PIPELINE_OPTIONS)

# `make molecule-roll` does it once and briefly; this takes hours, most of them the kills.
.PHONY: faults
faults: export BENCH_ROUNDS ?= 20
faults: molecule-roll ## releases that turn bad, kills, canaries, jobs and locks, in full and BENCH_ROUNDS times

# The pipeline's steps, for any CI and by hand: docs/pipeline.md lists the settings of each.
export APPLICATION ?= example
PIPELINE := python -m pipeline --application "$$APPLICATION"
pipeline-%: export PYTHONPATH := collections

.PHONY: pipeline-plan
pipeline-plan: | $(filter-out uv,$(UV)) ## name the checks of APPLICATION's slipway.toml
	@$(UV) run --no-project --python '>=3.11' $(PIPELINE) plan

.PHONY: pipeline-check
pipeline-check: | $(filter-out uv,$(UV)) ## run one of them: make pipeline-check CHECK=backend-tests
	@$(UV) run --no-project --python '>=3.11' $(PIPELINE) check "$$CHECK"

.PHONY: pipeline-build
pipeline-build: export UV_PROJECT_ENVIRONMENT := .venv-build
pipeline-build: | $(filter-out uv,$(UV)) ## build and push APPLICATION's images to REGISTRY as VERSION
	@$(UV) run --locked --quiet --only-group pipeline $(PIPELINE) build

.PHONY: pipeline-deploy
pipeline-deploy: export UV_PROJECT_ENVIRONMENT := .venv-deploy
pipeline-deploy: | $(filter-out uv,$(UV)) ## deploy DIGESTS to ENVIRONMENT as VERSION
	@$(UV) run --locked --quiet --no-default-groups $(PIPELINE) deploy "$$ENVIRONMENT"

.PHONY: pipeline-preview
pipeline-preview: export UV_PROJECT_ENVIRONMENT := .venv-deploy
pipeline-preview: | $(filter-out uv,$(UV)) ## deploy DIGESTS as VERSION to the preview of BRANCH beside ENVIRONMENT
	@$(UV) run --locked --quiet --no-default-groups $(PIPELINE) preview "$$ENVIRONMENT"

.PHONY: pipeline-preview-remove
pipeline-preview-remove: export UV_PROJECT_ENVIRONMENT := .venv-deploy
pipeline-preview-remove: | $(filter-out uv,$(UV)) ## remove the preview of BRANCH beside ENVIRONMENT
	@$(UV) run --locked --quiet --no-default-groups $(PIPELINE) preview-remove "$$ENVIRONMENT"

.PHONY: pipeline-gate
pipeline-gate: export UV_PROJECT_ENVIRONMENT := .venv-deploy
pipeline-gate: | $(filter-out uv,$(UV)) ## what a pipeline's key is bound to: make pipeline-gate ENVIRONMENTS=staging
	@$(UV) run --locked --quiet --no-default-groups $(PIPELINE) gate $$ENVIRONMENTS

.PHONY: pipeline-smoke
pipeline-smoke: | $(filter-out uv,$(UV)) ## ask DOMAIN whether RELEASE answers
	@$(UV) run --no-project --python '>=3.11' $(PIPELINE) smoke "$$ENVIRONMENT"

.PHONY: pipeline-notify
pipeline-notify: | $(filter-out uv,$(UV)) ## tell the team how the run ended
	@$(UV) run --no-project --python '>=3.11' $(PIPELINE) notify

.PHONY: clean
clean: .venv/.synced ## remove all that the demo and the tests made
	@$(PROGRAM) clean

# The tools as uv.lock pins them.
.venv/.synced: pyproject.toml uv.lock | $(filter-out uv,$(UV))
	@$(UV) sync --locked --quiet
	@touch $@

# The tools on the other end of the supported Pythons, and so the other ansible-core: 3.11 has 2.19,
# newer ones have 2.21. Where uv finds no such Python it downloads one.
OTHER_PYTHON = $(shell .venv/bin/python -c 'import sys; print("3.13" if sys.version_info < (3, 12) else "3.11")')
.venv-other/.synced: export UV_PROJECT_ENVIRONMENT := .venv-other
.venv-other/.synced: .venv/.synced
	@$(UV) sync --locked --quiet --python $(OTHER_PYTHON)
	@touch $@

# Where there is no uv: a private one, by pip.
.tools/bin/uv:
	@python3 -m venv .tools > /dev/null 2>&1 \
	  || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -qq python3-venv > /dev/null && python3 -m venv --clear .tools; } \
	  || { rm -rf .tools; echo "Install Python's venv first: sudo apt-get install python3-venv"; exit 1; }
	@.tools/bin/pip install --quiet "uv==$(UV_VERSION)"
