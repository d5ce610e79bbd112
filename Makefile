# The studio's commands, the same for people and for CI. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Beside it, so that the core is tested without torch: what neural engines need.
NEURAL := .venv-neural
NODE   := frontend/node_modules
BUF    := $(NODE)/.bin/buf
SOUNDS := services/inference/engines/composer/sounds
# The environment's tools first, whether or not it is activated.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | \
	  awk -F'\t' '{printf "  \033[36m%-14s\033[0m %s\n", $$1, $$2}'

## ---- main job ---------------------------------------------------------------------

.PHONY: run
run: setup-run ## Set up what is missing and start the studio
	$(BIN)/musicgen up

PROMPT ?= warm lofi hip hop, 82 bpm, rainy night
DURATION ?= 30
OUT ?= track.flac
.PHONY: track
track: setup-run ## Make one track and exit: make track PROMPT="…" DURATION=30 OUT=track.flac
	$(BIN)/musicgen up --quiet --exec musicgen generate "$(PROMPT)" --duration $(DURATION) -o "$(OUT)"

.PHONY: test
test: setup browser ## Set up what is missing and pass all tests
	$(MAKE) test-frontend
	$(MAKE) test-python
	$(MAKE) test-neural

.PHONY: check
check: lint test ## Everything that CI checks

## ---- set-up -----------------------------------------------------------------------

.PHONY: setup setup-run
setup: $(VENV)/dev.stamp frontend/dist/index.html $(SOUNDS)/bank/.stamp ## Set up everything into .venv and frontend/
setup-run: $(VENV)/run.stamp frontend/dist/index.html $(SOUNDS)/bank/.stamp

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@ $(VENV)/run.stamp

# MUSICGEN_TORCH_INDEX is an index of torch builds, where pip's own has not the right one.
$(NEURAL)/.stamp: requirements/dev.txt requirements/engines/diffrhythm.txt pyproject.toml | $(BIN)/python
	$(PYTHON) -m venv $(NEURAL)
	$(NEURAL)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(NEURAL)/bin/pip install --quiet --disable-pip-version-check -r requirements/engines/diffrhythm.txt \
	  $(if $(MUSICGEN_TORCH_INDEX),--extra-index-url $(MUSICGEN_TORCH_INDEX))
	$(NEURAL)/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(NODE)/.stamp: frontend/package.json frontend/package-lock.json
	@node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' || \
	  { echo "Node.js 20 or newer is needed: https://nodejs.org"; exit 1; }
	npm ci --prefix frontend --no-audit --no-fund --loglevel=error
	@touch $@

frontend/dist/index.html: $(NODE)/.stamp $(shell find frontend/src frontend/public frontend/index.html frontend/vite.config.ts -type f 2>/dev/null)
	npm run --prefix frontend --silent build

# Cut from registry packages at set-up; without them the composer plays its synths alone.
.PHONY: sounds
sounds: $(SOUNDS)/bank/.stamp ## Cut the composer's recorded sounds from their packages
$(SOUNDS)/bank/.stamp: $(wildcard $(SOUNDS)/*.py) | $(VENV)/run.stamp
	@mkdir -p $(@D)
	$(BIN)/python -m services.inference.engines.composer.sounds.build --out $(@D) && touch $@ || [ $$? -eq 3 ]

.PHONY: browser
browser: $(VENV)/dev.stamp
	$(BIN)/python -m tests.browser

## ---- contract ---------------------------------------------------------------------

GOOGLEAPIS := build/googleapis
.PHONY: protos-deps generate
protos-deps: $(VENV)/dev.stamp
	$(BIN)/python -c 'import google.api, google.rpc, pathlib, shutil; \
	  [(target.parent.mkdir(parents=True, exist_ok=True), shutil.copy(pathlib.Path(package.__path__[0]) / name, target)) \
	   for package, name in ((google.api, "annotations.proto"), (google.api, "http.proto"), \
	                         (google.rpc, "error_details.proto"), (google.rpc, "status.proto")) \
	   for target in [pathlib.Path("$(GOOGLEAPIS)") / package.__name__.replace(".", "/") / name]]'

generate: protos-deps $(NODE)/.stamp ## Generate Python and TypeScript from protos/
	find musicgen/api -name '*_pb2*' -delete 2>/dev/null || true
	$(BIN)/python -m grpc_tools.protoc -Iprotos -I$(GOOGLEAPIS) --python_out=. --mypy_out=quiet:. \
	  $$(find protos -name '*.proto' | sort)
	$(BIN)/python -m grpc_tools.protoc -Iprotos -I$(GOOGLEAPIS) --grpc_python_out=. --mypy_grpc_out=quiet:. \
	  $$(find protos -name '*_service.proto' | sort)
	find musicgen/api -type d -not -name __pycache__ -exec touch {}/__init__.py \; # so that import-linter sees them
	$(BUF) generate

## ---- checks -----------------------------------------------------------------------

.PHONY: lint lint-python lint-neural lint-protos lint-frontend lint-generated format
lint: lint-python lint-neural lint-protos lint-frontend lint-generated ## Format, lint, types, walls, contract, no diff in generated code

lint-python: $(VENV)/dev.stamp
	ruff format --check .
	ruff check .
	mypy
	lint-imports

lint-neural: $(VENV)/dev.stamp $(NEURAL)/.stamp
	mypy --python-executable $(NEURAL)/bin/python \
	  $$(git ls-files 'services/inference/engines/diffrhythm/**.py' 'tests/neural/**.py' 'bench/diffrhythm/**.py')

lint-protos: protos-deps $(NODE)/.stamp
	$(BUF) format --diff --exit-code protos
	$(BUF) lint
	@tag=$$(git describe --tags --abbrev=0 2>/dev/null || true); \
	  if [ -n "$$tag" ]; then $(BUF) breaking protos --against ".git#tag=$$tag,subdir=protos"; \
	  else echo "no release yet: nothing that the contract could break"; fi

lint-frontend: $(NODE)/.stamp
	npm run --prefix frontend --silent lint
	npm run --prefix frontend --silent typecheck

lint-generated: generate
	@test -z "$$(git status --porcelain -- musicgen/api frontend/src/gen)" || \
	  { git status --short -- musicgen/api frontend/src/gen; \
	    echo "Generated code differs from protos/: commit what \`make generate\` made"; exit 1; }

format: $(VENV)/dev.stamp $(NODE)/.stamp ## Format everything
	ruff format .
	ruff check --fix .
	$(BUF) format --write protos
	npm run --prefix frontend --silent format

## ---- tests ------------------------------------------------------------------------

.PHONY: test-frontend test-python
test-frontend: $(NODE)/.stamp ## The page's own tests, with coverage
	npm run --prefix frontend --silent test

test-python: $(VENV)/dev.stamp $(NEURAL)/.stamp chaos-clock frontend/dist/index.html ## Unit, contract and end-to-end tests, with coverage
	rm -f .coverage .coverage.*
	coverage run -m pytest tests/unit --numprocesses auto --dist loadfile
	coverage run -m pytest tests --ignore tests/unit
	coverage combine --quiet
	coverage report --skip-covered --fail-under=80

test-neural: $(NEURAL)/.stamp ## Tests of neural engines, with torch
	$(NEURAL)/bin/python -m pytest tests/neural

SEED ?= 1
JOBS ?= 300
FAULTS ?= 40
.PHONY: chaos
chaos: setup chaos-clock ## Break a whole studio at random while it works: make chaos SEED=1 JOBS=3000 FAULTS=200
	python -m tests.chaos --seed $(SEED) --jobs $(JOBS) --faults $(FAULTS)

# Clocks that jump. GPL and built from source, so not in the lock; without it no clock jumps, and
# the report says so.
.PHONY: chaos-clock
chaos-clock: $(VENV)/dev.stamp
	@$(BIN)/python -c 'import libfaketime' 2>/dev/null || \
	  $(BIN)/pip install --quiet --disable-pip-version-check libfaketime==3.0.1 || true

## ---- housekeeping -----------------------------------------------------------------

.PHONY: lock hooks clean
# Extras stay in the lock: older pips take "coverage[toml]" for another package than "coverage".
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-annotate --no-header --no-strip-extras --extra all pyproject.toml
lock: $(VENV)/dev.stamp ## Resolve requirements/*.txt anew from pyproject.toml
	$(BIN)/pip install --quiet uv==0.13.9
	$(LOCK) -o requirements/run.txt
	$(LOCK) --group dev -o requirements/dev.txt

hooks: $(VENV)/dev.stamp ## Run the checks before every commit
	$(BIN)/pip install --quiet pre-commit==4.7.0 && $(BIN)/pre-commit install

clean: ## Remove what was built, but no music
	rm -rf build frontend/dist frontend/coverage frontend/node_modules $(VENV) .coverage* .mypy_cache .ruff_cache .pytest_cache

## ---- measurements -----------------------------------------------------------------

.PHONY: bench-composer listen
bench-composer: setup bench-deps ## The composer, measured from outside and beside its rivals: bench/README.md
	python -m bench.composer.selfcheck
	python -m bench.composer --all

listen: setup bench-deps ## Render many prompts into build/listen.html, to open and play
	@mkdir -p build
	python -m bench.composer.listen --out build/listen.html

.PHONY: bench-deps
bench-deps: $(VENV)/dev.stamp
	@$(BIN)/python -c 'import pyloudnorm' 2>/dev/null || \
	  $(BIN)/pip install --quiet --no-deps pyloudnorm==0.2.0

.PHONY: bench-looper
bench-looper: setup ## Loops found and judged on tracks whose truth is known, beside a rival: bench/README.md
	python -m bench.looper.selfcheck
	python -m bench.looper

.PHONY: bench-diffrhythm
bench-diffrhythm: $(NEURAL)/.stamp ## DiffRhythm at its true size, with weights that nobody trained
	$(NEURAL)/bin/python -m bench.diffrhythm

.PHONY: bench-first-sound
bench-first-sound: setup ## Request → first preview that can be heard, through Envoy, for every family
	musicgen up --quiet --port 0 --data "$$(mktemp -d)" --exec python -m bench.first_sound

.PHONY: bench-jobs
bench-jobs: setup ## Jobs under load: accepting, starting, 1,000 watchers by gRPC and through Envoy, beside a 1 s poll
	python -m bench.jobs

.PHONY: bench-latency
bench-latency: setup browser ## Click → progress and event → screen in a browser, beside a 1 s poll
	musicgen up --quiet --port 0 --data "$$(mktemp -d)" --exec python -m bench.latency
