# make demo: set up and run the main job. make test: set up and pass the tests.
PYTHON ?= python3
VENV   ?= .venv
# On Linux the newest torch of the index is a CUDA build of several gigabytes; this one is enough.
TORCH  ?= torch==2.13.0
BIN    := $(VENV)/bin

SOURCES := pyproject.toml CMakeLists.txt $(shell find csrc kernels python -type f -not -name '*.pyc' -not -name '*.so')

.PHONY: demo test test-python test-cpp lint bench bench-results clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/omnirt demo --out demo-out

test: test-python test-cpp

test-python: $(VENV)/tested
	$(BIN)/python -m pytest -n auto --dist worksteal --cov=omnirt --cov-fail-under=90

test-cpp: $(VENV)/tested
	for check in address thread; do \
	  $(BIN)/cmake -G Ninja -S tests/cpp -B build/cpp-$$check -DOMNI_SANITIZE=$$check \
	    -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja && \
	  $(BIN)/cmake --build build/cpp-$$check && \
	  $(BIN)/ctest --test-dir build/cpp-$$check --output-on-failure || exit 1; \
	done

lint: $(VENV)/tested
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $$(find csrc tests/cpp -name '*.h' -o -name '*.cc')

bench: $(VENV)/tested
	$(BIN)/python -m pytest bench --benchmark-only

bench-results: $(VENV)/tested
	for name in inputs ops; do \
	  $(BIN)/python -m pytest bench/test_$$name.py --benchmark-only -q \
	    --benchmark-json bench/results/$$name.json || exit 1; \
	done
	$(BIN)/python bench/lane_gaps.py --out bench/results/lane_gaps.json
	$(BIN)/python bench/report.py

$(VENV)/made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet $(TORCH)
	touch $@

$(VENV)/installed: $(VENV)/made $(SOURCES)
	$(BIN)/pip install --quiet .
	touch $@

$(VENV)/tested: $(VENV)/installed
	$(BIN)/pip install --quiet '.[test]'
	$(BIN)/pip install --quiet --no-deps torchvision==0.28.0
	touch $@

clean:
	rm -rf $(VENV) build demo-out
