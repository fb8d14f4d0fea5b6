# What there is to do here. Python 3.11 or newer and make are enough: the rest comes from requirements.txt.
#   make run     everything, at http://127.0.0.1:8000 (PORT=… for another), until Ctrl-C
#   make test    the tests, but those marked slow or browser; ARGS="-k offers" for some of them
#   make test-nightly  what by day tries a part of, in full: properties, orders of locks, replays, chaos
#   make check   lint, types, migrations in step, security, Django's check for production
#   make bench   how fast it is
#   make audit   known holes in the libraries
#   make chaos   a real installation killed, stopped and cut off all the time; CONTROL=no-lock breaks it on purpose;
#                chaos-short takes five minutes
#   make soak    a steady load for MINUTES=30
#   make machines  fresh machines: empty clones of what is committed that come up, route a lead, stop and test themselves;
#                ARGS=--few for those that differ most, ARGS=--list for their names
#   make nightly what takes too long for each change: test-nightly, browser tests by another Python, and all machines
#   make messages  catalogues of translations in step with the texts, and compiled

PYTHON ?= python3
ARGS ?=
CONTROL ?= none
MINUTES ?= 30
VENV ?= .venv
# Without its compiled modules each process compiles all that it imports: seconds of every start.
unexport PYTHONDONTWRITEBYTECODE
BIN := $(VENV)/bin
PY := $(BIN)/python
CODE := accounts routing reports leadrouter tests benchmarks manage.py
# Rooms of arithmetic, held to the strictest types; those that are not there yet are left out.
PURE := $(wildcard accounts/time/schedules.py accounts/time/holidays.py accounts/time/timetables.py routing/engine routing/policy routing/intake accounts/time/periods.py reports/rings.py reports/drawing.py reports/pictures.py reports/charts.py reports/fairness.py reports/responses.py reports/statistics.py)

.PHONY: audit run test test-slow test-browser test-rest chaos chaos-short soak machines nightly test-nightly test-browser-other check bench shell clean lock .venv dev browser messages

run: $(BIN)/.runs
	@exec $(PY) -m leadrouter.development

# The environment, with what the tests need.
.venv dev: $(BIN)/.tests

test: $(BIN)/.tests
	@$(PY) -m leadrouter.development up -- $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not browser and not chaos" $(ARGS)

test-slow: $(BIN)/.tests
	@$(PY) -m leadrouter.development up -- $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "slow and not browser and not chaos" $(ARGS)

test-browser: $(BIN)/.tests
	@$(PY) -m leadrouter.development up -- $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m browser $(ARGS)

# What `make test` leaves out, in one go.
test-rest: $(BIN)/.tests
	@$(PY) -m leadrouter.development up -- $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "slow or browser or chaos" $(ARGS)

# The tests that try more than by day: tests/effort.py.
test-nightly: $(BIN)/.tests
	@env LEADROUTER_NIGHTLY=1 $(PY) -m leadrouter.development up -- \
		$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "(thorough or hypothesis) and not browser" $(ARGS)

# Faults of every kind in a real installation: a short run beside one fault after the other, in some minutes; a long run in
# a quarter of an hour.
chaos-short: $(BIN)/.tests
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m chaos -rP $(ARGS)

chaos: $(BIN)/.tests
	@$(PY) -m tests.chaos --control $(CONTROL) $(ARGS)

# A day of leads in half an hour: memory, connections, dead rows and answer times must stay as they are.
soak: $(BIN)/.tests
	@$(PY) -m tests.chaos.soak --minutes $(MINUTES) $(ARGS)

machines: $(BIN)/.tests
	@$(PY) -m tests.machines $(ARGS)

# The browser tests in all looks, by the other Python where there is one: the theme has another version for it.
test-browser-other: $(BIN)/.tests
	@other=$$($(PY) -m tests.machines.pythons other); \
		env LEADROUTER_NIGHTLY=1 $(MAKE) --no-print-directory browser test-browser \
		$${other:+VENV=.venv-other PYTHON="$$other"}

nightly: test-nightly test-browser-other machines

check: $(BIN)/.tests
	$(BIN)/ruff check $(wildcard $(CODE))
	$(BIN)/ruff format --check $(wildcard $(CODE))
	$(BIN)/mypy --strict --follow-imports=silent $(PURE)
	$(BIN)/mypy $(wildcard accounts routing reports leadrouter)
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check --database default
	env DEBUG=false HTTPS=true ALLOWED_HOSTS=leads.example.com \
		SECRET_KEY=$$($(PY) -c "import secrets; print(secrets.token_urlsafe(50))") \
		$(PY) manage.py check --deploy --fail-level WARNING
	$(BIN)/bandit -q -ll -c pyproject.toml -r $(wildcard accounts routing reports leadrouter)

bench: $(BIN)/.runs
	@$(PY) -m leadrouter.development up -- $(PY) -m benchmarks $(ARGS)

messages: $(BIN)/.tests
	@env DJANGO_SETTINGS_MODULE=leadrouter.settings $(PY) -m leadrouter.development.catalogues

shell: $(BIN)/.runs
	@$(PY) manage.py shell

# Everything made here but the private database, which is in var/; also the copy of PostgreSQL's programs that root has
# in a shared folder.
clean:
	@"$(firstword $(wildcard $(PY)) $(PYTHON))" -I leadrouter/development/private_services.py clean
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path "./var/*" -prune -exec rm -rf {} +

# requirements.txt anew from requirements.in: one lock for all Pythons, by markers, with the digest of every file.
lock: $(BIN)/.tests
	$(PY) -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --upgrade --generate-hashes --quiet --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt

$(BIN)/.runs: requirements.txt .ci/venv
	@PYTHON="$(PYTHON)" VENV="$(VENV)" .ci/venv
	@touch $@

$(BIN)/.tests: pyproject.toml $(BIN)/.runs
	@PYTHON="$(PYTHON)" VENV="$(VENV)" .ci/venv dev
	@touch $@

browser: $(BIN)/.tests
	@PYTHON="$(PYTHON)" VENV="$(VENV)" .ci/venv browser

# Are there known holes in what is installed? Needs the internet; says so, and ends with 2, when the list cannot be had.
audit: $(BIN)/.tests
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade >/dev/null
	@$(PY) -m pip_audit --version >/dev/null 2>&1 || $(PY) -m pip install --quiet pip-audit
	@$(PY) .ci/audit
