# The commands for development. They need make and Python 3.11 or later, and install the rest into .venv.

BIN := .venv/bin
PIN = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --no-strip-extras \
      --generate-hashes --no-emit-index-url --system-certs --custom-compile-command "make lock"
LOCK = $(PIN) pyproject.toml

# pip announces no new releases of itself.
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# uv installs each environment, in seconds instead of minutes. uv does not read pip's settings, so pass on their index.
UV_INSTALL = index=; test -n "$$UV_DEFAULT_INDEX$$UV_INDEX_URL" || \
	index=$$($(BIN)/pip config list | sed -n "s/^[^=]*[.]index-url='\(.*\)'$$/\1/p" | tail -n 1); \
	$(BIN)/uv pip install --quiet --system-certs $${index:+--default-index "$$index"}
# $(call install,ENVIRONMENT,REQUIREMENTS) installs locked and hashed requirements; $(call project,ENVIRONMENT) this project.
# A third argument is one more option of uv.
install = $(UV_INSTALL) $(3) --python $(1)/bin/python --require-hashes --requirement $(2)
project = $(UV_INSTALL) --python $(1)/bin/python --no-deps --no-build-isolation --editable .

# Later releases have no wheel for Python 3.11.
ATHERIS = atheris<3.1
FUZZ_RECORDS = 1000000
FUZZ_SECONDS = 600

# A name on PATH may not run (pyenv), so try each, and prefer one that can create environments.
PYTHON = $(shell for wanted in "import ensurepip, venv" "pass"; do \
	for python in python3.13 python3.12 python3.11 python3 python; do \
		"$$python" -c "import sys; $$wanted; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
			&& echo "$$python" && exit; \
	done; done)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test test-fast test-lowest coverage test-airflow test-dbt test-orchestrators test-image endurance lint docs pictures fuzz bench bench-scaling bench-latency bench-airflow bench-views format lock wheel clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name text; do \
		printf 'make %-18s %s\n' "$$name" "$$text"; done

# Files with parts that are generated from the code or from results of the benchmarks.
GENERATED = README.md docs/index.md docs/dbt/models/sources.yml \
            $(addprefix docs/reference/,commands.md settings.md tables.md schema.md) \
            $(addprefix docs/how-to/,analysts/history.md analysts/explore.md operators/monitor.md) \
            $(addprefix docs/explanation/,reliability.md performance.md)

demo: .venv/runtime.stamp  ## sync a simulated registry into SQLite, show what changed, and write a report
	@$(BIN)/tfy-etl demo

test: .venv/dev.stamp  ## run the tests, on SQLite and PostgreSQL, except those of Airflow and dbt
	$(BIN)/pytest

test-fast: .venv/dev.stamp  ## run the quick unit tests, in about a minute
	$(BIN)/pytest -m "not e2e and not slow and not bench"

LOWEST_SAMPLE = tests/integration/store tests/integration/sync tests/e2e/cli/test_sync.py tests/e2e/cli/test_run_reporter.py

test-lowest: .venv-lowest/stamp  ## run the quick unit tests and some others with the lowest versions that pyproject.toml allows
	.venv-lowest/bin/pytest -m "not e2e and not slow and not bench"
	.venv-lowest/bin/pytest $(LOWEST_SAMPLE)

# Separate, because on Python 3.11 it makes every process of the suite several times as slow.
coverage: .venv/dev.stamp  ## run every test with branch coverage, in every process that it starts
	$(BIN)/pytest --cov

# With 50, the tests repeat as often as the counts in docs/explanation/reliability.md say. A whole run then takes some two hours
# of one core. make endurance-kills repeats one part alone; make endurance SCALE=5 repeats all, a tenth as often.
SCALE = 50
COUNTED = $(CURDIR)/bench/results/endurance.jsonl
ENDURANCE = kills lists records soak database disks concurrency
files_of_kills = tests/e2e/test_crash_safety.py
files_of_lists = tests/integration/test_moving_lists.py
files_of_records = tests/integration/test_fuzzed_records.py tests/integration/test_bad_records.py
files_of_soak = tests/integration/test_soak.py
files_of_database = tests/e2e/test_database_death.py
files_of_disks = tests/e2e/test_disks.py
files_of_concurrency = tests/e2e/test_concurrency.py
endure = TFY_ETL_TEST_SCALE=$(SCALE) TFY_ETL_TEST_REPORT=$(COUNTED) $(BIN)/pytest $(1) && $(BIN)/cog -r -I tools/docs $(GENERATED)

# One DAG runs its task in .venv, as in an environment without Airflow.
test-airflow: .venv/runtime.stamp .venv-airflow/stamp .venv-airflow/redis.stamp  ## run the DAG on a real Airflow: scheduler, REST, executors
	.venv-airflow/bin/pytest -n 0 tests/e2e/airflow --cov --cov-config=tests/e2e/airflow/coverage.toml

test-dbt: .venv/dev.stamp .venv-dbt/stamp  ## build docs/dbt with a real dbt, on SQLite and PostgreSQL
	DBT=$(CURDIR)/.venv-dbt/bin/dbt $(BIN)/pytest -n 0 tests/e2e/dbt

test-orchestrators: .venv/dev.stamp .venv-orchestrators/stamp  ## run the examples for Dagster and Prefect
	ORCHESTRATORS=$(CURDIR)/.venv-orchestrators/bin $(BIN)/pytest -n 0 tests/e2e/orchestrators

test-image: .venv/dev.stamp  ## build the image by buildah, as root on Debian, and run its commands; takes ten minutes
	tools/image/test_image.sh

endurance: .venv/dev.stamp  ## repeat the tests of kills, moving lists, odd records, soak, full disks and concurrency in large numbers
	$(call endure,$(foreach part,$(ENDURANCE),$(files_of_$(part))))

endurance-%: .venv/dev.stamp
	$(call endure,$(files_of_$*))

lint: .venv/dev.stamp  ## run ruff, mypy, import-linter, the migration check and the generated-docs check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check -I tools/docs $(GENERATED)
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	export TFY_ETL_DATABASE_URL="sqlite:///$$scratch/check.db" && \
	$(BIN)/tfy-etl db upgrade && $(BIN)/alembic check

docs: .venv/dev.stamp  ## build the docs into site/, and check every link; python3 -m http.server -d site shows them
	PYTHONPATH=tools/docs $(BIN)/zensical build --clean --strict
	$(BIN)/python tools/docs/check_site.py site

pictures: .venv/dev.stamp  ## make the pictures of the README and the docs again, from real runs
	PYTHONPATH=. $(BIN)/python tools/docs/pictures.py
	$(BIN)/cog -r -I tools/docs $(GENERATED)

fuzz: .venv-fuzz/stamp  ## fuzz the transformation of records, guided by coverage, until FUZZ_RECORDS or FUZZ_SECONDS
	TFY_ETL_TEST_REPORT=$(COUNTED) .venv-fuzz/bin/python -m tests.fuzz.fuzz_records .venv-fuzz/corpus $(FUZZ_RECORDS) \
		-max_total_time=$(FUZZ_SECONDS) -max_len=6000 -print_final_stats=1 -artifact_prefix=.venv-fuzz/finding-

# A quick run: make bench BENCH="--models 500 --rounds 1". More options: python -m bench.compare --help
BENCH =
SHOW = .venv-bench/bin/python -m bench.plots && .venv-bench/bin/cog -r -I tools/docs $(GENERATED)

bench: .venv-bench/stamp  ## compare with dlt, Singer and two minimal loaders, on SQLite and PostgreSQL; takes about an hour
	.venv-bench/bin/python -m bench.compare $(BENCH)
	$(SHOW)

bench-scaling: .venv-bench/stamp  ## measure time and memory for up to a million versions
	.venv-bench/bin/python -m bench.scaling $(BENCH)
	$(SHOW)

bench-latency: .venv-bench/stamp  ## measure the effect of concurrency when answers have a latency
	.venv-bench/bin/python -m bench.latency $(BENCH)
	$(SHOW)

bench-airflow: .venv/dev.stamp .venv-airflow/stamp .venv-airflow/redis.stamp  ## compare the DAG by Celery with one sync, at 100 ML repos of 1,000 models
	.venv-airflow/bin/python -m bench.airflow_celery $(BENCH)
	$(BIN)/cog -r -I tools/docs $(GENERATED)

bench-views: .venv-bench/stamp  ## measure the time of each view at 50,000 and 1,000,000 versions; takes about an hour
	.venv-bench/bin/python -m bench.view_times $(BENCH)
	$(SHOW)

format: .venv/dev.stamp  ## format the code, and renew the generated parts of the docs
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/cog -r -I tools/docs $(GENERATED)

lock: .venv/dev.stamp  ## pin the newest versions that pyproject.toml allows
	$(LOCK) --extra postgres --extra report --group build --output-file requirements/runtime.txt
	$(LOCK) --extra postgres --extra otel --extra report --extra explore --extra export --group dev \
		--constraint requirements/runtime.txt --output-file requirements/dev.txt
	$(LOCK) --extra postgres --extra otel --extra report --extra explore --extra export --group dev \
		--resolution lowest-direct --output-file requirements/lowest.txt
	$(LOCK) --extra postgres --extra otel --extra report --group build --constraint requirements/dev.txt \
		--output-file requirements/container.txt
	$(LOCK) --extra postgres --group bench --output-file requirements/bench.txt
	$(LOCK) --extra postgres --extra airflow --group airflow --output-file requirements/airflow.txt
	$(PIN) --group dbt --output-file requirements/dbt.txt
	$(PIN) --group orchestrators --output-file requirements/orchestrators.txt
	echo uv | $(PIN) - --constraint requirements/dev.txt --output-file requirements/bootstrap.txt
	echo '$(ATHERIS)' | $(LOCK) - --constraint requirements/runtime.txt --output-file requirements/fuzz.txt

wheel: .venv/runtime.stamp  ## build dist/*.whl
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## remove everything that these targets made
	rm -rf .venv .venv-airflow .venv-bench .venv-dbt .venv-fuzz .venv-orchestrators .venv-lowest dist build site .cache tfy-etl-demo.db* tfy-etl-demo.html .coverage* \
		.hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Compiled, so that the first demo starts as fast as any other: uv compiles on all cores, an import on one.
.venv/runtime.stamp: requirements/runtime.txt pyproject.toml | $(BIN)/uv
	@$(call install,.venv,$<,--compile-bytecode)
	@$(call project,.venv)
	@touch $@

.venv/dev.stamp: requirements/dev.txt requirements/runtime.txt pyproject.toml | $(BIN)/uv
	@$(call install,.venv,$<)
	@$(call project,.venv)
	@touch .venv/runtime.stamp $@

# Without the project: dbt reads only its database, and the fuzzer imports it from the working directory.
.venv-dbt/stamp .venv-fuzz/stamp .venv-orchestrators/stamp: .venv-%/stamp: requirements/%.txt | $(BIN)/uv
	$(BIN)/python -m venv --clear .venv-$*
	@$(call install,.venv-$*,$<)
	@touch $@

.venv-airflow/stamp .venv-bench/stamp .venv-lowest/stamp: .venv-%/stamp: requirements/%.txt pyproject.toml | $(BIN)/uv
	$(BIN)/python -m venv --clear .venv-$*
	@$(call install,.venv-$*,$<)
	@$(call project,.venv-$*)
	@touch $@

# The broker of the Celery workers.
.venv-airflow/redis.stamp: | .venv-airflow/stamp
	@command -v redis-server >/dev/null || { \
		echo "Installing redis-server, which the test of the Celery executor needs"; \
		as_root=; test "$$(id -u)" = 0 || as_root="sudo -n"; \
		{ $$as_root apt-get update -qq && \
		  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends redis-server; \
		} >/dev/null 2>&1 || { echo "Install redis-server, then run make again." >&2; exit 1; }; \
	}
	@touch $@

# uv is installed last, so if it exists, the environment is complete.
$(BIN)/uv: | requirements/bootstrap.txt
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
	echo "Installing tfy-etl and its locked libraries into .venv"; \
	"$$python" -m venv --clear .venv
	@$(BIN)/pip install --quiet --quiet --require-hashes --requirement requirements/bootstrap.txt
