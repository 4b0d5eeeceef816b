# Two commands do everything on a fresh machine, each from a clean clone: `make demo` and `make test`.

VENV := .venv
PYTHON_HERE := $(VENV)/bin/python
LOCKS := .ci/requirements
PYTEST_ARGS ?=

.PHONY: help demo test check bench mutants programs environment format lint types layers generated fix lock clean

help:
	@echo "make demo    the main job, on an example, in a fresh environment"
	@echo "make test    every test; installs what they need"
	@echo "make check   format, lint, types, layers, generated files"
	@echo "make bench   the table of docs/reference/performance.md"
	@echo "make mutants proof that the tests mean it: each mechanism taken out turns its tests red"
	@echo "make fix     formats, and mends what the linter can mend"
	@echo "make lock    pins the newest dependencies that pyproject.toml allows"
	@echo "make clean   removes the environment and every cache"

demo: $(VENV)/.runtime
	$(PYTHON_HERE) -m tests.demo

test: programs environment
	$(PYTHON_HERE) -m pytest --numprocesses=auto --dist=worksteal $(PYTEST_ARGS)

check: format lint types layers generated

bench: environment
	$(PYTHON_HERE) -m tests.benchmarks

mutants: programs environment
	$(PYTHON_HERE) -m tests.mutants

# -- what the targets above stand on ---------------------------------------------------------------------------------

programs:
	@.ci/system
	@.ci/go-tools
	@.ci/node-tools

environment: $(VENV)/.dev

$(VENV)/.runtime $(VENV)/.dev: $(VENV)/.%: $(LOCKS)/bootstrap.txt $(LOCKS)/%.txt pyproject.toml
	.ci/environment $*
	@touch $@

format: environment
	$(VENV)/bin/ruff format --check .

lint: environment
	$(VENV)/bin/ruff check .

types: environment
	$(VENV)/bin/mypy

layers: environment
	$(VENV)/bin/lint-imports

generated: environment
	$(PYTHON_HERE) -m tests.generated --check

# -- chores ----------------------------------------------------------------------------------------------------------

fix: environment
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	$(PYTHON_HERE) -m tests.generated

# No address of an index or of a mirror ends up in a lock: whoever installs says where from.
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(PYTHON_HERE) -m piptools compile --quiet --upgrade --generate-hashes \
	--allow-unsafe --strip-extras --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

lock: environment
	$(COMPILE) --output-file $(LOCKS)/bootstrap.txt $(LOCKS)/bootstrap.in
	$(COMPILE) --output-file $(LOCKS)/runtime.txt pyproject.toml
	$(COMPILE) --output-file $(LOCKS)/dev.txt $(LOCKS)/dev.in

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
