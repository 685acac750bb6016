# On a fresh machine with Python 3.11, 3.12 or 3.13, `make demo` and `make test` install the rest.
PYTHON ?= python3.11
VENV ?= .venv
# The version that the tests run with; see pyproject.toml.
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo check test long-tests test-all test-models lint docs dist distributions bench bench-accuracy clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not installed; install it, or give another Python: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet "$(TORCH)" --editable ".[dev]"
	@touch $@

PHOTO := seaformer/data/photograph.jpg
MODEL := build/demo/seaformer_tiny_ade20k_512x512
SHAPES := build/demo/seaformer_tiny_shapes_256x256_fp32.tflite
SCENES := build/demo/scenes

demo: setup
	$(BIN)/seaformer-export --variant tiny --format tflite --format onnx --precision fp32 --precision fp16 --output build/demo --force
	$(BIN)/seaformer-predict $(PHOTO) --model $(MODEL)_fp32.tflite --output build/demo/overlay_tflite.png --mask build/demo/mask_tflite.png --force
	$(BIN)/seaformer-predict $(PHOTO) --model $(MODEL)_fp32.onnx --output build/demo/overlay_onnx.png --mask build/demo/mask_onnx.png --force
	@echo
	@echo "The weights so far were random. Those of the procedural task are trained:"
	$(BIN)/seaformer-export --weights shapes --output build/demo --force
	$(BIN)/python -c "from pathlib import Path; from seaformer.datasets.shapes import write; write(Path('$(SCENES)'), 1, validation=50)"
	$(BIN)/seaformer-predict $(SCENES)/images/val/000000.png --model $(SHAPES) --output build/demo/overlay_shapes.png --force
	$(BIN)/seaformer-evaluate $(SHAPES) --data $(SCENES) --report build/demo/evaluation --force
	@echo
	@echo "Models, their .json, masks and overlays are in build/demo:"
	@ls -1sh build/demo
	@echo
	@echo "Latency, on the attached phone or, without a phone, on this computer:"
	$(BIN)/seaformer-benchmark $(MODEL)_fp32.tflite $(MODEL)_fp16.tflite $(SHAPES) --breakdown --output build/demo/benchmark --force

# While working: lint, types, and the tests that are fast and need nothing but Python.
check: lint
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not tools and not long"

test: setup
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

# Lists the tests that `make check` skips because they take long. The computer has to be idle.
long-tests: setup
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not tools" --junitxml build/durations.xml -o junit_family=xunit1
	PYTHONPATH=tests/support $(BIN)/python -m long_tests build/durations.xml

# Before a release, and after changing code that only slow tests cover.
# Also installs, exports and benchmarks with every Python that is found; see `dist`.
test-all: setup distributions test-models
	$(BIN)/python -m pytest -n auto --dist worksteal
	$(BIN)/python tests/support/installs.py dist --export

# Each torchvision needs one exact version of torch. This one is newer than the torch that the
# golden outputs were verified with. Both have to come from the same package index.
MODELS_VENV := .venv-models
MODELS_STAMP := $(MODELS_VENV)/.installed

test-models: $(MODELS_STAMP)
	SEAFORMER_REQUIRE_MODELS=1 $(MODELS_VENV)/bin/python -m pytest -n auto --dist worksteal tests/seaformer/models/collections tests/seaformer/models/test_retinanet.py tests/seaformer/models/test_swin_of_libraries.py tests/seaformer/detection/test_trained_detector.py tests/seaformer/training/test_detection_training.py tests/benchmark/results/test_imagenet_scores.py

$(MODELS_STAMP): pyproject.toml
	$(PYTHON) -m venv $(MODELS_VENV)
	$(MODELS_VENV)/bin/pip install --quiet torch==2.14.1 torchvision==0.29.1 --editable ".[dev,models]"
	@touch $@

# Builds the wheel, which contains the runners, and the sdist; then installs and uses each of them.
dist: distributions
	$(BIN)/python tests/support/installs.py dist --export --python "$(PYTHON)"

distributions: setup
	rm -rf dist
	$(BIN)/python -m build --outdir dist

# mypy derives package names from folders, so build/typing links every folder by its import name.
lint: docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=tests/support $(BIN)/python -m prose_lint
	@rm -rf build/typing/seaformer build/typing/smoke_build && mkdir -p build/typing/seaformer
	@for entry in seaformer/*; do ln -s "../../../$$entry" build/typing/seaformer/; done
	@for folder in export benchmark; do ln -s ../../../$$folder build/typing/seaformer/; done
	@ln -s ../../android_demo/smoke_build build/typing/smoke_build
	@rm -rf build/web/src && mkdir -p build/web && cd seaformer/web && cp -Rp *.json src ../../build/web
	@cd build/web && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null; }
	cd build/web && npm run --silent check
	cd build/typing && "$(abspath $(BIN))/mypy" --config-file ../../pyproject.toml -p seaformer -p smoke_build
	cd build/typing && MYPYPATH=../../tests/support "$(abspath $(BIN))/mypy" --config-file ../../pyproject.toml -p bench

# Builds the documents as an offline site, build/site/index.html. Warnings are errors.
docs: setup
	$(BIN)/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going -d build/doctrees docs build/site

# Updates the latencies in the documents, all measured on this computer, which has to be idle;
# takes about an hour on two cores.
bench: setup
	PYTHONPATH=tests/support $(BIN)/python -m bench.measurements --document docs/measurements.md
	PYTHONPATH=tests/support $(BIN)/python -m bench.page_images
	PYTHONPATH=tests/support:android_demo $(BIN)/python -m bench.mask_on_java --document docs/android_library.md

# Updates accuracy and parity in the documents, which do not depend on the computer; takes hours.
bench-accuracy: setup
	PYTHONPATH=tests/support $(BIN)/python -m bench.quantization --document docs/quantization.md
	PYTHONPATH=tests/support $(BIN)/python -m bench.quantization_aware --document docs/quantization.md
	PYTHONPATH=tests/support $(BIN)/python -m bench.distillation --longer --document docs/training.md
	PYTHONPATH=tests/support $(BIN)/python -m bench.accelerators --document docs/accelerators.md
	PYTHONPATH=tests/support $(BIN)/python -m bench.npu --document docs/npu.md

clean:
	rm -rf build dist benchmark/runner/bin seaformer/bundling/bin seaformer/web/bin $(VENV) $(MODELS_VENV) *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
