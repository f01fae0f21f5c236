# make demo: the main job on simulated hosts; make test: all tests; make lab: the same job on a real kernel.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
# exact versions; `make quick CONSTRAINTS=/dev/null` tries the newest that pyproject.toml allows
CONSTRAINTS ?= constraints.txt
SHELL_FILES = $(wildcard templates/*.sh templates/lib/*.sh sriov/simulation/stubs/*.sh tests/bench/host_commands/*) \
    $(shell find tests -path tests/golden -prune -o -name '*.sh' -print)

.PHONY: demo test quick coverage lint shellcheck docs dist lab lab-slow nova cloud bench bench-against clean system system-for-tests

$(VENV)/.ready: setup.py pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --build-constraint $(CONSTRAINTS) --editable '.[test]'
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --build-constraint $(CONSTRAINTS) --no-deps contrail-api-client
	touch $@

system:
	@sh tests/system.sh

system-for-tests:
	@sh tests/system.sh tests

demo: system $(VENV)/.ready
	@$(BIN)/python -m sriov.simulation demo

# two modules at a time: each has its hosts to itself. In the order of the folders, so that what takes long begins first
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder

test: system-for-tests $(VENV)/.ready lint docs
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not lab" $(PYTEST_ARGS)

# what takes long or needs more than the checkout is left out
quick: system-for-tests $(VENV)/.ready lint
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not lab and not nova and not slow" $(PYTEST_ARGS)

# lines of sriov/ that the tests reach, but for the simulation; below 92 % it fails. As slow as `make test` and no part
# of CI. Processes that are killed on purpose leave no record.
coverage: system-for-tests $(VENV)/.ready
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SIDE_BY_SIDE) -m "not lab and not nova" $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

shellcheck: $(VENV)/.ready
	$(BIN)/shellcheck $(SHELL_FILES) # what it is not asked for: .shellcheckrc

# the documents as a site, in build/site; a link that leads nowhere is an error (with --quiet it would not be one)
docs: $(VENV)/.ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# what a release consists of, in dist/
dist: $(VENV)/.ready
	$(BIN)/python -m build

# scenarios side by side; then, by itself, the look for what they left behind
lab: $(VENV)/.ready
	@sh tests/lab/install.sh
	$(BIN)/python -m pytest tests/lab -n 2 --no-loadscope-reorder -m "not lab_slow" \
	    --ignore tests/lab/test_nothing_left.py $(PYTEST_ARGS)
	$(BIN)/python -m pytest tests/lab/test_nothing_left.py

# what takes an emulated host more than five minutes by itself
lab-slow: $(VENV)/.ready
	@sh tests/lab/install.sh
	$(BIN)/python -m pytest tests/lab -m lab_slow $(PYTEST_ARGS)
	$(BIN)/python -m pytest tests/lab/test_nothing_left.py

# nova's own code as judge; it is fetched once, into the user's cache
nova: $(VENV)/.ready
	$(BIN)/python -m pytest -m nova $(PYTEST_ARGS)

# as root; the first run installs 2 GiB of services below ~/.cache/sriov-cloud ($SRIOV_CLOUD) and takes ten minutes more
cloud: system $(VENV)/.ready
	@sh tests/cloud/install.sh
	$(BIN)/python -m tests.cloud

bench: system $(VENV)/.ready
	@sh tests/bench/install.sh
	$(BIN)/python -m tests.bench

# the working tree beside an earlier one, in one run: make bench-against REV=main
REV ?= HEAD
bench-against: system $(VENV)/.ready
	$(BIN)/python -m tests.bench --against $(REV) $(BENCH_ARGS)

clean:
	rm -rf .coverage .coverage.* $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
