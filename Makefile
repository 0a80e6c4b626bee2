# `make` lists the targets. Nothing is installed outside .venv, .venv-sam and .venv-audit.
#
#   PYTHON=/path/to/python3      the interpreter to use; else the first of 3.13, 3.12, 3.11 and python3 that runs
#   make demo RECORDING=call.mp3 your own call, with the AssemblyAI account of ASSEMBLYAI_API_KEY
#   make test ARGS="-k webhook"  passed on to pytest
#   make lock UPGRADE=1          newer versions instead of the pinned ones
#   make audit ADVISORIES=1      also asks PyPI what is known against the layer's libraries
#   make forget KEY=call.mp3     of the stack STACK (callcoach) in REGION (your shell's); OPTIONS are passed on
#   make deploy ENVIRONMENT=production   a section of samconfig.toml, by which the other targets find its stack too

SHELL := /bin/sh
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Images of Docker set it. Each process would compile moto and all else anew, which takes it longer than most of its work.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench calibrate faults lint audit format build lock deploy smoke destroy status watch show submit redrive rescore subscribe doctor trends forget pause resume clean

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

setup: .venv/installed ## install what the other targets need into .venv

demo: .venv/installed ## score the sample calls in a cloud on this machine; look into out/
	.venv/bin/python -m tests.sandbox demo --out out $(if $(RECORDING),--recording "$(RECORDING)")

test: .venv/installed ## run the tests
	.venv/bin/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

faults: .venv/installed ## break every request of the functions in every way; make faults ONLY='scored:submit:*'
	.venv/bin/python -m tests.faults $(if $(ONLY),--only '$(ONLY)') $(OPTIONS)

# The start of a function is measured on what `sam deploy` uploads.
.aws-sam/build:
	$(MAKE) build

bench: .venv/bench-installed $(if $(ONLY),,.aws-sam/build) ## print the tables of measurements; make bench ONLY=evidence
	.venv/bin/python -m tests.benchmarks $(ONLY)

calibrate: .venv/installed ## ask a real model about calls with expected levels; make calibrate OPTIONS="--model ..."
	@.venv/bin/python -m tests.calibration $(OPTIONS)

lint: .venv/installed ## check format, style, types and template
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m ruff check .
	.venv/bin/python -m mypy
	.venv/bin/cfn-lint template.yaml

# checkov reads .checkov.yaml. The transformed template gives the same findings, without the comments that say why.
# In tests, assertions, child processes and made-up secrets are findings of low severity.
# pip-audit runs on demand only: where PyPI's advisories are out of reach it fails, and without --strict it would pass.
audit: .venv/installed .venv-audit/installed ## look for weak settings, insecure code and secrets
	.venv/bin/cfn-lint template.yaml
	.venv-audit/bin/checkov
	.venv-audit/bin/bandit --configfile pyproject.toml --recursive functions layers
	.venv-audit/bin/bandit --configfile pyproject.toml --recursive tests --severity-level medium
	$(if $(ADVISORIES),.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes \
	  --requirement layers/callcoach/requirements.txt)

format: .venv/installed ## format the code and mend what ruff can
	.venv/bin/python -m ruff format .
	.venv/bin/python -m ruff check --fix .

build: .venv/installed .venv-sam/installed ## build what `sam deploy` uploads into .aws-sam, and check it
	$(with_sam) python3.13 -m samcli validate --lint
	$(with_sam) python3.13 -m samcli build
	rm -rf .aws-sam/layer-for-this-machine
	$(with_sam) $(MAKE) --directory layers/callcoach build-CallcoachLayer ARCHITECTURE=$$(uname -m) \
	  ARTIFACTS_DIR="$(CURDIR)/.aws-sam/layer-for-this-machine"
	.venv/bin/python -m pytest tests/template/test_build.py

lock: .venv/installed ## write the pins anew from requirements-*.in
	$(call compile_pins,layers/callcoach/requirements)
	$(call compile_pins,requirements-dev)
	$(call compile_pins,requirements-sam)
	$(call compile_pins,requirements-audit)
	$(call compile_pins,requirements-bench)

deploy: .venv/installed .venv-sam/installed ## deploy; make deploy ENVIRONMENT=production OPTIONS="--set RepChannel=1"
	@$(sam_on_path) $(callcoach) deploy $(on_stack) $(OPTIONS)

smoke: .venv/installed ## send a sample call through a deployed stack
	@$(callcoach) smoke $(on_stack) $(OPTIONS)

destroy: .venv/installed .venv-sam/installed ## delete a deployed stack; its buckets stay
	@$(sam_on_path) $(callcoach) destroy $(on_stack) $(OPTIONS)

status: .venv/installed ## show what became of each recording; make status KEY=... OPTIONS="--since 30d"
	@$(callcoach) status $(on_stack) $(OPTIONS) $${KEY:+-- "$$KEY"}

watch: .venv/installed ## the same, until Ctrl-C
	@$(callcoach) watch $(on_stack) $(OPTIONS)

show: .venv/installed ## show a scorecard: make show KEY=...
	@$(callcoach) show $(on_stack) $(OPTIONS) -- "$${KEY:?Name the recording: make show KEY=...}"

submit: .venv/installed ## submit recordings of which nothing came; make submit KEY=... or OPTIONS="--since 30d"
	@$(callcoach) submit $(on_stack) $(OPTIONS) $${KEY:+-- "$$KEY"}

redrive: .venv/installed ## put what was given up back into its queue; make redrive OPTIONS=--dry-run
	@$(callcoach) redrive $(on_stack) $(OPTIONS) $${KEY:+-- "$$KEY"}

rescore: .venv/installed ## score calls again from stored transcripts; make rescore KEY=... OPTIONS="--role A=customer"
	@$(callcoach) rescore $(on_stack) $(OPTIONS) $${KEY:+-- "$$KEY"}

subscribe: .venv/installed ## say who gets which message; make subscribe ADDRESS=... OPTIONS="--team North"
	@$(callcoach) subscribe $(on_stack) $(OPTIONS) $${ADDRESS:+-- "$$ADDRESS"}

doctor: .venv/installed ## say whether a deployed stack is well; make doctor OPTIONS=--deployed
	@$(callcoach) doctor $(on_stack) $(OPTIONS)

trends: .venv/installed ## write a page for each rep and team; make trends OPTIONS="--since 26w"
	@$(callcoach) trends $(on_stack) $(OPTIONS)

forget: .venv/installed ## take away all that is kept of a recording: make forget KEY=...
	@$(callcoach) forget $(on_stack) $(OPTIONS) -- "$${KEY:?Name the recording: make forget KEY=...}"

pause: .venv/installed ## let a deployed stack ask nothing of AssemblyAI; make pause REASON="..."
	@$(callcoach) pause $(on_stack) $(OPTIONS) --reason "$${REASON:-}"

resume: .venv/installed ## lift the pause of a deployed stack
	@$(callcoach) resume $(on_stack) $(OPTIONS)

clean: ## remove all that the other targets made
	rm -rf .venv .venv-sam .venv-audit .aws-sam out .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find functions layers tests -name __pycache__ -prune -exec rm -rf {} +

.venv/installed: requirements-dev.txt
	@$(call create_environment,.venv,python3.13 python3.12 python3.11 python3,(3,11) <= sys.version_info,\
	  callcoach needs Python 3.11 or newer. Name one: make PYTHON=/path/to/python3)
	@awk '/^[^ ]/ {wanted = /^uv==/} wanted' requirements-dev.txt | \
	  .venv/bin/python -m pip install --quiet --require-hashes --only-binary :all: --requirement /dev/stdin || true
	@$(call install,.venv,requirements-dev.txt)
	@touch $@

.venv/bench-installed: requirements-bench.txt | .venv/installed
	@$(call install,.venv,requirements-bench.txt)
	@touch $@

.venv-sam/installed: requirements-sam.txt | .venv/installed
	@$(call create_environment,.venv-sam,python3.13,(3,13) <= sys.version_info < (3,14),\
	  The layer is compiled with the Python of the Lambda runtime. Name a 3.13: make build PYTHON=/path/to/python3.13)
	@$(call install,.venv-sam,requirements-sam.txt)
	@touch $@

.venv-audit/installed: requirements-audit.txt | .venv/installed
	@$(call create_environment,.venv-audit,python3.13 python3.12 python3.11 python3,(3,11) <= sys.version_info,\
	  callcoach needs Python 3.11 or newer. Name one: make audit PYTHON=/path/to/python3)
	@$(call install,.venv-audit,requirements-audit.txt)
	@touch $@

# $(1): the environment. $(2): names of interpreters, the best first. $(3): what must hold. $(4): what to say if it never does.
# A python3.13 on PATH may be a shim of pyenv that refuses to run, so each is tried, and pyenv is asked where the real ones are.
create_environment = python=$$( \
	  for name in $(or $(PYTHON),$(2)); do \
	    for python in "$$name" $$(pyenv whence --path "$$name" 2>/dev/null); do \
	      "$$python" -c 'import sys; sys.exit(not $(3))' 2>/dev/null && echo "$$python" && exit; \
	    done; \
	  done); \
	if [ -z "$$python" ]; then echo '$(strip $(4))' >&2; exit 1; fi; \
	version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "Python $$version has no venv. On Debian and Ubuntu: apt-get install python$$version-venv" >&2; \
	  exit 1; \
	fi; \
	echo "Python $$version is put into $(1)"; \
	"$$python" -m venv --clear $(1)

# uv takes a fraction of pip's time, but knows nothing of pip's configuration: behind a mirror pip may get what uv cannot.
install = .venv/bin/uv pip install --quiet --require-hashes --python $(1)/bin/python --requirement $(2) || { \
	  echo "uv cannot install $(2) here; pip takes over, which is slower" >&2; \
	  $(1)/bin/python -m pip install --quiet --require-hashes --no-compile --requirement $(2); \
	}

compile_pins = UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/uv pip compile --quiet --generate-hashes \
	  --universal --python-version 3.11 $(if $(UPGRADE),--upgrade) $(1).in --output-file $(1).txt

callcoach = PYTHONPATH=layers/callcoach .venv/bin/python -m callcoach
on_stack = $(if $(ENVIRONMENT),--environment "$(ENVIRONMENT)") $(if $(STACK),--stack "$(STACK)") \
	  $(if $(REGION),--region "$(REGION)")

# python3.13 is then the same interpreter to SAM and to the layer's Makefile.
sam_on_path = PATH="$(CURDIR)/.venv-sam/bin:$$PATH" SAM_CLI_TELEMETRY=0

# SAM validates for a region, any.
with_sam = $(sam_on_path) AWS_DEFAULT_REGION="$${AWS_DEFAULT_REGION:-us-east-1}"
