# `make` alone lists the targets. `make demo` and `make test` do all their own set-up, in .venv.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEPLOY_VENV := .venv-deploy
# Directories with a package-lock.json.
NODE := examples/node tests/node

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start some hundred processes: without this each would compile all of the source once more.
unexport PYTHONDONTWRITEBYTECODE

# The locks are made from the default registry alone: a machine's own wheels and mirrors would put
# hashes into them that nobody else can satisfy.
LOCK = PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= CUSTOM_COMPILE_COMMAND="make lock" \
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-options \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(LOCK_OPTIONS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test soak planted lint ready node-packages bench lock upgrade \
	sbom audit-dependencies clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)-runtime ## Install into .venv, which leaves .venv/bin/conveyor
	@echo "Installed: $(BIN)/conveyor"

demo: install ## Watch four flows side by side, a thousand real orders among them
	@$(BIN)/conveyor demo

test: ## Check everything: lint, types, layers, then the tests
	@$(MAKE) --no-print-directory --jobs=4 ready
	@$(BIN)/pytest -n 6 --dist worksteal

# These wait for one another only where they need the same environment.
ready: lint $(VENV)/.collected $(DEPLOY_VENV)/.installed node-packages

soak: $(INSTALLED)-test ## Run the longest tests, then simulate disturbed lives until stopped or broken
	@$(BIN)/pytest -q -m soak
	@$(BIN)/python -m conveyor.testing.simulate --runs 0 --jobs 2 --seed $$(date +%s)

planted: install ## Write docs/planted-bugs.md: how many lives it takes to find each planted bug
	@$(BIN)/python -m conveyor.testing.planted --markdown > docs/planted-bugs.md || [ $$? -eq 1 ]

lint: $(INSTALLED)-test ## Check style, types and layers
	@echo "ruff check";    $(BIN)/ruff check .
	@echo "ruff format";   $(BIN)/ruff format --check .
	@echo "mypy --strict"; $(BIN)/mypy
	@echo "import layers"; $(BIN)/lint-imports --no-logo

node-packages:
	@scripts/install-node-packages $(NODE)

bench: $(INSTALLED)-test $(INSTALLED)-bench ## Measure Conveyor beside its peers
	@$(BIN)/python -m benchmarks

# Each lock holds to the one before it, so that the first three can share one environment. Setuptools
# is among them: it builds our own package, without a download.
lock: $(INSTALLED)-test ## Write the locks anew after a change in pyproject.toml
	@echo "Resolving the four locks (some minutes)"
	@$(LOCK) --extra aws,lambda,otel,postgres --build-deps-for editable \
		--output-file requirements/runtime.txt pyproject.toml
	@$(LOCK) --extra aws,lambda,otel,postgres,test --build-deps-for editable \
		--constraint requirements/runtime.txt --output-file requirements/test.txt pyproject.toml
	@$(LOCK) --extra bench --build-deps-for editable \
		--constraint requirements/test.txt --output-file requirements/bench.txt pyproject.toml
	@$(LOCK) --output-file requirements/deploy.txt requirements/deploy.in

upgrade: LOCK_OPTIONS := --upgrade
upgrade: lock ## Write the locks anew, each package at its newest version

sbom: $(INSTALLED)-test ## Write build/sbom.json: what an installation consists of, in CycloneDX
	@mkdir -p build
	@scripts/write-sbom $(BIN) build/sbom.json
	@echo "Written: build/sbom.json"

audit-dependencies: $(INSTALLED)-test ## Ask for known vulnerabilities of what is pinned (by network)
	@scripts/audit-dependencies $(BIN)

clean: ## Remove .venv and all that tools left behind
	rm -rf $(VENV) $(DEPLOY_VENV) build dist src/*.egg-info .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache \
		$(addsuffix /node_modules,$(NODE)) $(addsuffix /.install-lock,$(NODE))
	find src tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg $(DEPLOY_VENV)/pyvenv.cfg:
	@scripts/create-venv $(@D)

# The stamp is the last thing written, so a broken-off installation is taken up again. Tests import
# a quarter of what they install: that is compiled by whoever imports it first.
$(INSTALLED)-test: NO_COMPILE := --no-compile
$(INSTALLED)-%: requirements/%.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing what requirements/$*.txt pins (a minute or so the first time)"
	@$(BIN)/python -m pip install --quiet $(NO_COMPILE) --require-hashes --requirement $<
	@$(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@

# One process imports and so compiles what six would compile each at the same time.
$(VENV)/.collected: $(INSTALLED)-test
	@echo "Compiling the tests and what they import"
	@$(BIN)/pytest --collect-only --quiet >$@ || { sed -n '/= ERRORS/,$$p' $@; false; }

# Most of it is never imported, and so not worth compiling.
$(DEPLOY_VENV)/.installed: requirements/deploy.txt | $(DEPLOY_VENV)/pyvenv.cfg
	@echo "Installing what checks deploy/ (a minute or two the first time)"
	@$(DEPLOY_VENV)/bin/python -m pip install --quiet --no-compile --require-hashes --requirement $<
	@touch $@
