# Everything a newcomer runs. Needs make and Python 3.11 or later; the rest goes into .venv.

BIN := .venv/bin
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --upgrade \
       --generate-hashes --no-emit-index-url --system-certs --custom-compile-command "make lock"

# A name on PATH need not run (pyenv), so each is tried; one that can make environments is preferred.
PYTHON = $(shell for wanted in "import ensurepip, venv" "pass"; do \
	for python in python3.13 python3.12 python3.11 python3 python; do \
		"$$python" -c "import sys; $$wanted; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
			&& echo "$$python" && exit; \
	done; done)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint format lock wheel clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name text; do \
		printf 'make %-8s %s\n' "$$name" "$$text"; done

demo: .venv/runtime.stamp  ## sync a simulated registry into SQLite, and show what came
	@$(BIN)/tfy-etl demo

test: .venv/dev.stamp  ## run every test, on SQLite and PostgreSQL, with branch coverage
	$(BIN)/pytest --cov

lint: .venv/dev.stamp  ## check style, types, the arrows between rooms, the schema, the README
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check -I docs README.md
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	export TFY_ETL_DATABASE_URL="sqlite:///$$scratch/check.db" && \
	$(BIN)/tfy-etl db upgrade && $(BIN)/alembic check

format: .venv/dev.stamp  ## put code and the generated parts of the README in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/cog -r -I docs README.md

lock: .venv/dev.stamp  ## pin the newest versions that pyproject.toml allows
	$(LOCK) --extra postgres --group build --output-file requirements/runtime.txt
	$(LOCK) --extra postgres --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt

wheel: .venv/runtime.stamp  ## build dist/*.whl
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## remove everything that these targets made
	rm -rf .venv dist build tfy-etl-demo.db* .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/runtime.stamp: requirements/runtime.txt pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/runtime.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: requirements/dev.txt requirements/runtime.txt pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch .venv/runtime.stamp $@

# pip comes last into an environment: where it stands, the environment is whole.
$(BIN)/pip:
	@python="$(PYTHON)"; \
	test -n "$$python" || { echo "No Python 3.11 or later: install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }; \
	"$$python" -c "import ensurepip, venv" 2>/dev/null || { \
		package=$$("$$python" -c "import sys; print('python%d.%d-venv' % sys.version_info[:2])"); \
		echo "Installing $$package, which $$python needs to make environments"; \
		as_root=; test "$$(id -u)" = 0 || as_root="sudo -n"; \
		{ $$as_root apt-get update -qq && \
		  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$$package"; \
		} >/dev/null 2>&1 || { echo "$$python cannot make environments: install $$package, then run make again." >&2; exit 1; }; \
	}; \
	"$$python" -m venv --clear .venv
