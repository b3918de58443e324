# Thin front of the CMake presets; scripts/ does the work. `make help` lists the targets.
.PHONY: all packages native windows lab demo test bench soak torture fuzz install deb fmt lint clean help

all: native windows ## Build everything: native release and Windows binaries

packages: ## Install the Debian packages that are missing
	@scripts/install-packages

native: packages ## Native release build (device host, lab runner)
	@scripts/build linux-release

windows: packages ## The Windows binaries: virtiofs.exe and the lab's
	@scripts/build windows-release

lab: packages windows ## What lab/run needs, the Wine prefix included
	@scripts/build linux-release lab_native
	@scripts/make-wine-prefix

demo: lab ## The main job: Windows programs work on a host directory; ends with "demo: OK"
	@scripts/demo

test: packages ## All tests: sanitizers, the lab, short fuzzing
	@scripts/test

bench: lab ## Benchmarks: medians and ratios of one run, some minutes
	@scripts/bench

soak: lab ## Endurance in the lab: a million files, ten minutes of stress (SOAK_FILES, SOAK_SECONDS)
	@scripts/soak

torture: packages ## What the host daemons must stand, mounted here: POSIX tests, fsx, fio, stress-ng; some minutes each
	@scripts/torture

fuzz: packages ## Fuzz every parser of foreign bytes (FUZZ_SECONDS each, default 60)
	@scripts/fuzz

install: packages ## Install virtiofsd on this host (PREFIX=/usr, DESTDIR=)
	@scripts/install

deb: packages ## A Debian package of virtiofsd, in build/
	@scripts/install --package

fmt: packages ## Format the sources in place
	@scripts/format --fix

lint: packages ## Check formatting and run clang-tidy
	@scripts/format
	@scripts/lint

clean: ## Remove everything that was built
	@rm -rf build 2>/dev/null || sudo rm -rf build

help: ## This list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 18
