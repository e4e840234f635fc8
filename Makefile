# make demo   a Slack, a cluster and the bot on this machine
# make test   everything, on the same real servers

PYTHON ?= python3
UV := uv==0.13.9
VENV := .venv
AUDIT := $(VENV)/audit
RUN := $(VENV)/bin/python

# Compiled modules are kept, because the tests start many bots.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check fmt bench chaos gates hostile pictures audit lock clean

help: ## list these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: $(VENV)/ready ## a Slack page, a cluster and the bot on this machine, until Ctrl-C
	@$(RUN) -m sandbox demo

# The servers are written in Go, and spend less time on garbage where they may keep more of it.
# After a crash of a worker xdist waits for ever if it may start another one.
test: export GOGC ?= 300
test: $(VENV)/ready ## every test, on real servers
	@$(RUN) -m sandbox build
	$(RUN) -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

check: $(VENV)/ready ## formatting, lint, types, and that imports point down
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

fmt: $(VENV)/ready ## format the code
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(VENV)/ready ## measure, as ratios against a floor of the same run
	$(RUN) -m bench

chaos: $(VENV)/ready ## everything fails at once, three seeds, and every promise is checked; about 20 minutes
	@$(RUN) -m sandbox build
	$(RUN) -m chaos

gates: $(VENV)/ready ## bad and honest new pools on real traffic: what the gates stop, and what it costs; about 80 minutes
	@$(RUN) -m sandbox build
	$(RUN) -m canaries

hostile: $(VENV)/ready ## hostile input of every kind at a running bot, and what got through; about a minute
	@$(RUN) -m sandbox build
	$(RUN) -m hostile

pictures: $(VENV)/ready ## the pictures of docs/, from a story on Slack's page; needs Chromium
	@$(RUN) -m sandbox build
	@$(RUN) -m sandbox pictures

audit: $(AUDIT)/ready ## what the image installs, as sbom.cdx.json, and the known vulnerabilities of it
	$(AUDIT)/tools/bin/cyclonedx-py environment $(AUDIT)/image/bin/python --pyproject pyproject.toml --output-reproducible -o sbom.cdx.json
	$(AUDIT)/tools/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

lock: $(VENV)/ready ## renew requirements*.lock from pyproject.toml
	$(VENV)/bin/pip install -q $(UV)
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --universal --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --universal --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock
	$(VENV)/bin/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --universal --no-header --python-version 3.11 --group audit -o requirements-audit.lock

clean: ## remove the virtual environment (the servers' cache stays)
	rm -rf $(VENV)

$(VENV)/ready: requirements-dev.lock pyproject.toml
	@echo "Installing the locked Python packages into $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(VENV)/bin/pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

# Two environments: the tools, and what the image installs (see Dockerfile).
$(AUDIT)/ready: requirements-audit.lock requirements.lock
	@echo "Installing the tools and the bot's packages into $(AUDIT) ..."
	@$(PYTHON) -m venv $(AUDIT)/tools
	@$(AUDIT)/tools/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements-audit.lock
	@$(PYTHON) -m venv --without-pip $(AUDIT)/image
	@$(AUDIT)/tools/bin/pip --python $(AUDIT)/image/bin/python install -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r requirements.lock
	@touch $@
