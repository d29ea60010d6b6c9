# Everything a person does here. `make demo` and `make test` need Python 3.11+ and make, and set up the rest.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PARALLEL := --numprocesses=auto --dist=worksteal
COVERAGE := --cov --cov-report= --cov-fail-under=0
# Without its cache of parsed tests, pytest parses them all again in each run.
CACHED := PYTHONDONTWRITEBYTECODE=
# What `make test` runs: `tests/shared/quick.py` chooses. `make check` runs every test, with more examples of each property.
QUICK := $(CACHED) HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -q $(PARALLEL) -m "not full"
EVERY := $(CACHED) HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-ci} $(BIN)/python -m pytest -q $(PARALLEL)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-coverage test-time check lint types lowest pythons pythons-new sdist-check prove-schedules prove-sockets prove-kills prove-moves prove-refresh prove-webhooks prove-engines prove-agents prove-ahead prove-media fleet mutants strangers docs consent-image page-images audit-film audit-images bench bench-old-home bench-shared-store bench-elsewhere profile fmt clean

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/dev: requirements-dev.txt pyproject.toml src/tiktok_core/version.py
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	@echo "Setting up $(VENV), once: this takes about a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/check: requirements-check.txt $(VENV)/dev
	$(PIP) install --no-deps --require-hashes -r requirements-check.txt
	@touch $@

setup: $(VENV)/dev  ## make the virtual environment in .venv

demo: setup  ## the whole main job against a simulated TikTok on this machine
	@$(BIN)/tiktok demo

test: setup  ## the quick tests: every contract, a part of each table, no proofs
	@$(QUICK)

test-coverage: setup  ## what part of the lines that `make check` covers `make test` covers, too
	@COVERAGE_FILE=.coverage.quick $(QUICK) $(COVERAGE)
	@COVERAGE_FILE=.coverage.every $(EVERY) $(COVERAGE)
	@$(BIN)/python benchmarks/suite.py coverage .coverage.quick .coverage.every

test-time: setup  ## how long `make test` takes, beside that of a commit from before it was made quick
	@$(BIN)/python benchmarks/suite.py time

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/check
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin
	$(BIN)/mypy tests/typing
	$(BIN)/pyright

check: lint types  ## what CI runs: format, lint, types, layers, documents, every test, coverage
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build
	$(EVERY) $(COVERAGE)
	$(BIN)/coverage report --include='src/tiktok_core/domain/*' --fail-under=100 --skip-covered --show-missing
	$(BIN)/coverage report --omit='src/tiktok_core/domain/*' --fail-under=95 --skip-covered --show-missing

LOWEST := .venvs/lowest
# What stands on a dependency. The rest of the suite stands on the core.
LOWEST_TESTS := tests/adapters tests/agents tests/assembly tests/cli tests/packaging tests/sign_in tests/simulator tests/stores tests/studio tests/testing \
	tests/transports tests/wire contract_tests

# Of each dependency the lowest release that pyproject.toml allows; tools that only the repository needs are the usual ones.
$(LOWEST)/lowest: requirements-lowest.txt requirements-dev.txt pyproject.toml src/tiktok_core/version.py
	@$(MAKE) --no-print-directory setup VENV=$(LOWEST)
	@$(LOWEST)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r requirements-lowest.txt
	@touch $@

lowest: $(LOWEST)/lowest  ## tests with the lowest releases of dependencies that are allowed
	@$(CACHED) HYPOTHESIS_PROFILE=quick $(LOWEST)/bin/python -m pytest -q $(PARALLEL) -m "not full" $(LOWEST_TESTS)

pythons:  ## all tests on each Python from 3.11 on that is found
	@.ci/pythons

pythons-new:  ## all tests on the newest Pythons, from Debian unstable (needs root and debootstrap)
	@.ci/pythons debian

sdist-check: setup  ## build the source distribution and the wheel, and run tests from what is in them
	@$(BIN)/python .ci/sdist.py

prove-schedules: setup  ## 10,000 random schedules of faults and crashes in each world
	@SCHEDULES=10000 SCHEDULES_ON_SERVER=200 $(BIN)/python -m pytest -q $(PARALLEL) --timeout=7200 tests/proofs/test_schedules.py

prove-sockets: setup  ## 1,000 random schedules of broken connections over each transport
	@SOCKET_SCHEDULES=1000 $(BIN)/python -m pytest -q --timeout=3600 tests/proofs/test_sockets.py

prove-kills: setup  ## kill, fill the disk and break it at every write and every word with TikTok (needs strace)
	@KILLS=all $(BIN)/python -m pytest -q -s --timeout=7200 tests/proofs/test_kills.py

prove-moves: setup  ## end a move of a home to a database at each of its steps (needs PostgreSQL)
	@MOVES=all $(BIN)/python -m pytest -q -s --timeout=7200 tests/proofs/test_moving.py

prove-refresh: setup  ## 100 rounds of 32 processes, 32 threads and 1,000 tasks that renew one sign-in
	@REFRESH_ROUNDS=100 $(BIN)/python -m pytest -q --timeout=3600 tests/proofs/test_refresh.py

prove-webhooks: setup  ## a million changed webhooks, of which none may be believed
	@WEBHOOKS=1000000 $(BIN)/python -m pytest -q -s --timeout=3600 tests/proofs/test_webhooks.py

prove-engines: setup  ## kill workers on one and on many machines 40 times each in the midst of a chunk (needs PostgreSQL, RabbitMQ, Redis)
	@ENGINE_KILLS=40 $(BIN)/python -m pytest -q -s --timeout=7200 tests/proofs/test_engines.py

prove-agents: setup  ## 1,000 random sequences of an agent's calls, with a person, a worker and faults between them
	@AGENT_SEQUENCES=1000 $(BIN)/python -m pytest -q --timeout=3600 tests/agents/test_anything.py --hypothesis-show-statistics

prove-ahead: setup  ## 100,000 random schedules of reading ahead from where media lie
	@AHEAD_SCHEDULES=100000 $(BIN)/python -m pytest -q -s --timeout=3600 tests/proofs/test_ahead.py

prove-media: setup  ## judge a corpus of generated media files (needs ffmpeg, GStreamer, mkvmerge, chromium)
	@CORPUS=all CORPUS_FOLDER=$${CORPUS_FOLDER:-.media} $(BIN)/python -m pytest -q -s --timeout=7200 tests/media/test_corpus.py

$(VENV)/fleet: examples/fleet/requirements.txt $(VENV)/dev
	@$(PIP) install --no-deps --require-hashes -r examples/fleet/requirements.txt
	@touch $@

fleet: $(VENV)/fleet  ## run 300 posts on four workers while everything fails, and draw what happened (needs PostgreSQL; three minutes)
	@$(BIN)/python examples/fleet/run.py

$(VENV)/mutants: mutants/requirements.txt $(VENV)/dev
	@$(PIP) install --no-deps --require-hashes -r mutants/requirements.txt
	@touch $@

mutants: $(VENV)/mutants  ## change the rules in 1,000 small ways: does a test notice each? (an hour; goes on where it was ended)
	@$(BIN)/python mutants/run.py

strangers: setup  ## run public clients of TikTok, unmodified, in the sandbox (needs npm and curl; ten minutes)
	@$(BIN)/python strangers/run.py

docs: $(VENV)/check  ## build the documents into docs/_build, and run every snippet of theirs
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build
	@$(BIN)/python -m pytest -q tests/docs

consent-image: $(VENV)/check  ## draw the picture of the consent page anew
	@CONSENT_IMAGE=docs/images/consent.png $(BIN)/python -m pytest -q tests/browser -k test_a_person_signs_in

page-images: $(VENV)/check  ## draw the pictures of the sandbox's page anew
	@PAGE_IMAGES=docs/images $(BIN)/python -m pytest -q tests/browser/test_pages.py -k "impairment and (1400-light or 360-dark)"

APP ?= My App
FILM_ARGS ?=
audit-film: $(VENV)/check  ## record the film for TikTok's audit: APP="My App", FILM_ARGS="--real CLIP.mp4"
	@$(BIN)/python examples/audit/film.py --app "$(APP)" --out .audit $(FILM_ARGS)

audit-images: audit-film  ## draw the pictures of the audit guide anew
	@mkdir -p docs/images/audit && cp .audit/*.webp docs/images/audit/

$(VENV)/bench: benchmarks/requirements.txt $(VENV)/dev
	@$(PIP) install --no-deps --require-hashes -r benchmarks/requirements.txt
	@touch $@

bench: $(VENV)/bench  ## measure; figures in the documents come from here
	@$(BIN)/python benchmarks/run.py

bench-old-home: setup  ## compare a home of 200,000 posts with an empty one (needs 2 GiB of memory or disk; five minutes)
	@$(BIN)/python benchmarks/old_home.py

bench-shared-store: setup  ## measure the steps of a post whose journal lies in PostgreSQL (one minute)
	@$(BIN)/python benchmarks/shared_store.py

bench-elsewhere: setup  ## measure posts from object storage behind a slow line (ten minutes)
	@$(BIN)/python benchmarks/elsewhere.py

profile: $(VENV)/bench  ## say where the time of uploads and calls goes
	@$(BIN)/python benchmarks/profiles.py

fmt: setup  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venvs .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
