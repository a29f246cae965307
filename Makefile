# Everything a newcomer needs; `make demo` and `make test` set up what they need by themselves.
.PHONY: help setup demo test lint check hub e2e soak clean headers docs/conventions.md
SHELL := /bin/bash
PY := .venv/bin/python
export OMP_NUM_THREADS ?= 1
# A hub with sample users; a real one is installed by hub/install.sh (docs/operators.md).
export HUB_DIR ?= /srv/sft2rl-sample

help:  ## this list
	@grep -E '^[a-z0-9.-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready  ## .venv with everything, system packages included

.venv/.ready: requirements.txt requirements.lock tools/venv.sh tools/system-packages.sh
	bash tools/system-packages.sh python3-venv bubblewrap libseccomp2
	bash tools/venv.sh

demo: setup  ## build the course, grade a sample class, show the table and where feedback lies
	$(PY) -m autograder.demo

test: setup lint  ## the whole test suite: machinery, releases, and every hidden suite on its zoo
	bash tools/system-packages.sh chromium postgresql
	$(PY) -m pytest -n 2 --dist loadfile
	.venv/bin/course build --check
	.venv/bin/course check

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy autograder/src/autograder shared/sft2rl tools

check: setup  ## prove the hidden suites on their zoos
	.venv/bin/course check

hub:  ## a JupyterHub on this machine with two of the staff and two students (as root)
	bash hub/sample.sh $(HUB_DIR)
	@echo "Open http://127.0.0.1:8000 (Ctrl-C ends the hub)"
	bash hub/start.sh $(HUB_DIR)

e2e: setup  ## a week of the course in a real browser on a real hub (as root)
	bash tools/system-packages.sh chromium postgresql
	$(PY) -m pytest tests/e2e -x --durations=10

soak: setup  ## long repetitions of grading under load and with processes killed (SOAK_ROUNDS=10)
	$(PY) -m pytest tests -m soak

docs/conventions.md: setup  ## every stub and convention, made from solutions/
	$(PY) tools/make_conventions.py

headers: setup  ## the head of every notebook, made from course.toml
	$(PY) tools/make_headers.py

environment.yml: requirements.txt tools/make_environment.py
	python3 tools/make_environment.py

clean:  ## remove what was built (not the class's data in course/)
	rm -rf build demo .pytest_cache .ruff_cache .mypy_cache
