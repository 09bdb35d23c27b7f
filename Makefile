# Python 3.11 or newer and make are all that must be there; everything else is brought by `make setup`.
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
endif
BIN := .venv/bin
CONTRACTS := .venv-contracts/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup setup-contracts docs kubo geth postgres btrfs migration demo test attack deploy coverage check bench fuzz gas snapshots artifacts lock format clean python

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found; set PYTHON=/path/to/python3." >&2; exit 1; }

setup: python ## the product, its tools, an EVM node: leaves .venv/bin/provenance
	@$(PYTHON) scripts/setup.py product

setup-contracts: python ## Brownie and the Solidity compiler beside it
	@$(PYTHON) scripts/setup.py contracts

docs: setup ## writes the reference pages in docs/ from the code
	@$(BIN)/python scripts/reference.py

kubo: setup ## a real Kubo, built from its Go module, for the tests that need one
	@$(PYTHON) scripts/setup.py kubo

geth: setup ## a real geth, built from its Go module, for the tests that need one
	@$(PYTHON) scripts/setup.py geth

postgres: setup ## the machine's PostgreSQL, or Debian's packages unpacked, for the tests that need one
	@$(PYTHON) scripts/setup.py postgres

btrfs: setup ## mkfs.btrfs, the machine's or Debian's unpacked, for the tests of shared blocks (which need root as well)
	@$(PYTHON) scripts/setup.py btrfs

migration: setup ## begins a migration of the index (NAME='what changes'), from what changed in registry/index/schema.py
	@$(BIN)/python scripts/migration.py "$(NAME)"

demo: setup $(if $(filter kubo,$(STORE)),kubo) ## publishes and verifies real models on a local chain (KEEP=1 leaves it running; STORE=kubo)
	@KEEP=$(KEEP) STORE=$(STORE) $(BIN)/python scripts/demo.py

WORKERS ?= auto
test: setup-contracts ## every test: the contracts under Brownie, then the rest on all cores (WORKERS=1 for one)
	@$(PYTHON) scripts/setup.py postgres || true
	@$(PYTHON) scripts/setup.py btrfs || true
	@$(BIN)/python scripts/contract_tests.py
	@$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile

attack: setup-contracts ## random histories against the contracts (STEPS=100000, SEED= of a run to repeat)
	@STEPS=$(or $(STEPS),100000) SEED=$(SEED) $(BIN)/python scripts/contract_tests.py -q tests/contracts/attacks/test_any_system_history.py

deploy: setup-contracts ## the contracts on a chain with Brownie's keys (NETWORK=, ACCOUNT= of Brownie)
	@test -n "$(NETWORK)" || { echo "Say on which network: make deploy NETWORK=…; $(CONTRACTS)/brownie networks list names them." >&2; exit 1; }
	@SOLCX_BINARY_PATH=$(CURDIR)/.tools/solcx PATH="$(CURDIR)/node_modules/.bin:$(PATH)" $(if $(ACCOUNT),ACCOUNT="$(ACCOUNT)") \
		$(CONTRACTS)/brownie run deploy --network "$(NETWORK)"

coverage: setup-contracts ## which statements and branches of the contracts their tests run
	@$(BIN)/python scripts/coverage.py

check: setup-contracts ## formatting, types, the direction of dependencies, what the contracts cost
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy registry api scripts
	@$(BIN)/lint-imports
	@$(BIN)/npm exec --offline -- prettier --check --log-level warn 'contracts/**/*.sol' 'benchmarks/*.sol'
	@.venv-contracts/bin/python scripts/snapshots.py --check
	@$(PYTHON) scripts/setup.py slither
	@.tools/slither/bin/python scripts/analyse.py

bench: setup-contracts ## every benchmark against its peer, one JSON object a line
	@$(PYTHON) scripts/setup.py bench
	@missed=0; for file in benchmarks/[!_]*.py; do $(BIN)/python $$file --json || missed=1; done; exit $$missed

SECONDS ?= 60
fuzz: setup ## fuzzes every reader of strangers' bytes, SECONDS=60 each, or RUNS=10000, the same ones each time
	@$(PYTHON) scripts/setup.py fuzz
	@$(BIN)/python fuzz/run.py $(if $(RUNS),--runs $(RUNS),$(SECONDS))

gas: setup-contracts ## what the contracts' calls cost, beside the Ethereum Attestation Service
	@$(PYTHON) scripts/setup.py bench
	@$(BIN)/python benchmarks/gas.py --check

snapshots: setup-contracts ## writes contracts/snapshots/: gas, code sizes, storage layout
	@.venv-contracts/bin/python scripts/snapshots.py

artifacts: setup-contracts ## compiles the contracts and exports what the product needs of them
	@.venv-contracts/bin/python scripts/export_artifacts.py

lock: setup ## brings the lock files up to date with pyproject.toml and requirements/*.in
	@$(BIN)/python scripts/lock.py

format: setup ## puts sources into the form that `make check` asks for
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format
	@$(BIN)/npm exec --offline -- prettier --write --log-level warn 'contracts/**/*.sol' 'benchmarks/*.sol'

clean: ## removes everything that is not in git, except .env
	@rm -rf .venv .venv-contracts .tools node_modules benchmarks/npm/node_modules benchmarks/ponder/node_modules build reports dist .demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
