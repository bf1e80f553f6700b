PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
DEVICE ?= cpu
ARGS ?=
bin := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help env cpu demo test test-device check-kernels conformance fuzz golden lint bench bench-growth bench-ranking clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-13s %s\n' "$$name" "$$text"; done
	@printf '\nVariables: PYTHON=%s VENV=%s JOBS=%s DEVICE=%s ARGS="more arguments"\n' $(PYTHON) $(VENV) $(JOBS) $(DEVICE)

env: $(VENV)/dev.stamp ## make the virtual environment: planish, an OpenCL driver if none is there, the test tools

cpu: $(VENV)/base.stamp ## add the OpenCL driver for the CPU, which env does by itself where there is no other device
	$(bin)/python -m pip install --quiet --editable '.[cpu]'

demo: $(VENV)/base.stamp ## compile the bundled network, run it, compare with the reference
	$(bin)/python examples/demo.py $(ARGS)

test: $(VENV)/dev.stamp ## run every test; those of kernels on PLANISH_DEVICE, or the best device
	$(bin)/python -m pytest -n $(JOBS) $(ARGS)

test-device: $(VENV)/dev.stamp ## run the tests of kernels on DEVICE: gpu, cpu, pocl, NVIDIA, 0:1, ...
	PLANISH_DEVICE='$(DEVICE)' $(bin)/python -m pytest -n $(JOBS) -m device $(ARGS)

check-kernels: $(VENV)/dev.stamp ## run kernels in Oclgrind: nothing out of bounds, no data race, nothing read that nobody wrote
	$(bin)/python -m tests.kernel_check -n $(JOBS) $(ARGS)

conformance: $(VENV)/dev.stamp ## run ONNX's conformance suite, and TFLite's operators against LiteRT
	$(bin)/python -W ignore -m tests.conformance onnx --jobs $(JOBS) $(ARGS)
	$(bin)/python -W ignore -m tests.conformance tflite --jobs $(JOBS) $(ARGS)

fuzz: $(VENV)/dev.stamp ## compile or read 20,000 files that were models and plans before they were mutated
	$(bin)/python -W ignore -m tests.fuzz --jobs $(JOBS) $(ARGS)

golden: $(VENV)/dev.stamp ## rewrite the golden files from what the compiler emits now
	$(bin)/python -m pytest -n $(JOBS) --update-golden $(ARGS)

lint: $(VENV)/dev.stamp ## check style and types
	$(bin)/ruff check --output-format concise .
	$(bin)/mypy

bench: $(VENV)/bench.stamp ## compare with other runtimes on nine networks, which takes half an hour
	$(bin)/python -m benchmarks $(ARGS)

bench-growth: $(VENV)/bench.stamp ## measure how the time of MobileNet v2 grows with batch and size
	$(bin)/python -m benchmarks --growth mobilenet_v2 --out growth $(ARGS)

bench-ranking: $(VENV)/base.stamp ## measure how well the cost model ranks kernels, without the other runtimes
	$(bin)/python -m benchmarks.ranking $(ARGS)

clean: ## remove everything that is generated, the virtual environment included
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/base.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "planish needs Python 3.10 or newer; '$(PYTHON)' is not: try make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(bin)/python -m pip install --quiet --editable .
	@$(bin)/python -c 'import sys; from planish.runtime import devices; sys.exit(not devices.devices())' || { \
		echo "no OpenCL device yet: installing the driver for the CPU"; \
		$(bin)/python -m pip install --quiet --editable '.[cpu]'; }
	@touch $@

$(VENV)/dev.stamp: $(VENV)/base.stamp
	$(bin)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(VENV)/bench.stamp: $(VENV)/base.stamp
	$(bin)/python -m pip install --quiet --editable '.[bench]'
	@touch $@
