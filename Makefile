# Every target works alone in a fresh clone: it makes .venv, installs the pins, and gets what else it needs.
#
#   make demo    Doorward with an example MCP server, tenants and users, on http://127.0.0.1:8080
#   make test    all tests, with branch coverage of what is pure; screenshots are kept in test-artifacts/
#   make check   formatting, lint, types, dependency direction, templates, spelling
#   make fix     what of that can be mended by a tool
#   make docs    the documentation as pages, in build/docs; a warning or a broken link is an error
#   make pictures   the pictures in it, taken again by the tests in the browser
#   make bench   speed, next to nginx and other authorization servers; BENCH=gateway or BENCH=authserver for one half,
#                BENCH=keys for what a key costs among a hundred thousand, BENCH=pages for pages among a million rows
#   make gateway-fuzz   calls that meet changes of rights at random, and spellings of messages, for some minutes
#   make policy-fuzz   the decider against its reference, ten million times

PYTHON ?= python3
TESTS ?= tests
PORT ?= 8080
BENCH ?= all
# A file stays with one worker, so that what its tests share is made once.
WORKERS ?= --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
PINS := $(PIP) install --require-hashes --only-binary :all:
export PYTHON

.PHONY: demo test check fix docs pictures bench gateway-fuzz policy-fuzz clean
.DELETE_ON_ERROR:

demo: .venv/.demo
	$(BIN)/doorward demo --port $(PORT)

test: .venv/.dev .cache/node.stamp .cache/vendors.stamp
	requirements/need chromium postgres
	$(BIN)/pytest $(WORKERS) --cov=doorward --cov-report= $(TESTS)
ifeq ($(TESTS),tests)
	$(BIN)/coverage report --include='src/doorward/protocol/*,src/doorward/policy/*' --fail-under=100
endif

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet src
	$(BIN)/codespell

fix: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python docs/generate.py
	PYTHONPATH=tests $(BIN)/python tests/requirements/close_gaps.py

docs: .venv/.dev
	$(BIN)/sphinx-build -q -W --keep-going -b html -c docs/site docs build/docs
	@echo build/docs/index.html

pictures: .venv/.dev .cache/node.stamp
	requirements/need chromium
	$(BIN)/pytest tests/e2e/test_every_page.py
	$(BIN)/python docs/pictures.py

bench: .venv/.dev $(if $(filter keys pages,$(BENCH)),,.cache/bench.stamp)
ifeq ($(filter keys pages,$(BENCH)),)
	requirements/need nginx wrk
endif
	$(BIN)/python -m bench $(BENCH)

# The peers of the benchmark: an environment of their own, and npm's if there is one.
.cache/bench.stamp: requirements/bench.txt bench/peers/package-lock.json | .venv/bin/python
	requirements/need npm
	@mkdir -p .cache
	$(PYTHON) -m venv --clear .cache/bench-peers
	.cache/bench-peers/bin/pip --disable-pip-version-check --quiet install --require-hashes --only-binary :all: -r $<
	if command -v npm >/dev/null; then npm ci --prefix bench/peers --no-progress --loglevel=error; fi
	touch $@

gateway-fuzz: .venv/.dev
	REVOCATION_CALLS=50000 $(BIN)/python -m pytest --timeout=0 -s tests/gateway/test_revocation.py -k no_call
	FUZZ_MESSAGES=200000 $(BIN)/python -m pytest --timeout=0 tests/gateway/test_fuzz.py

policy-fuzz: .venv/.dev
	POLICY_CASES=10000000 $(BIN)/python -m pytest --timeout=0 tests/policy/test_reference.py

clean:
	rm -rf .venv .cache build dist tests/clients/node_modules tests/clients/vendors/node_modules

.venv/bin/python:
	requirements/need python
	$(PYTHON) -m venv .venv

.venv/.package: requirements/build.txt requirements/runtime.txt pyproject.toml | .venv/bin/python
	$(PINS) -r requirements/build.txt -r requirements/runtime.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.demo: requirements/demo.txt .venv/.package
	$(PINS) -r requirements/demo.txt
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.demo
	$(PINS) -r requirements/dev.txt
	@touch $@

.cache/node.stamp: tests/clients/package-lock.json tests/clients/install
	requirements/need npm
	@mkdir -p .cache
	if command -v npm >/dev/null; then tests/clients/install && touch $@; fi

# The clients of vendors: half a gigabyte to fetch, a whole one on disk.
.cache/vendors.stamp: tests/clients/vendors/package-lock.json tests/clients/vendors/install
	requirements/need npm
	@mkdir -p .cache
	if command -v npm >/dev/null; then tests/clients/vendors/install && touch $@; fi
