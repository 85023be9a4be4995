#!/usr/bin/env bash
# Reproduces the repository's results, in an environment that it makes itself. See --help.
# To add a target: a line in TARGETS and a line in run_target. Works with bash 3.2 (macOS).
set -euo pipefail
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

# name, the scales it knows, what it does
TARGETS="
setup           tiny,smoke,small,paper  make the environment, and no more
demo            tiny,smoke              train CTC and DCTC on rendered words and compare them
test            tiny,smoke              lint, types and tests (tiny: a handful of quick tests)
data            tiny,smoke,small,paper  draw training words into an LMDB (as dctc data render)
renderer        tiny,small              train readers on rendered words, score them on real ones
bench           tiny,smoke,small        time the losses (options: those of dctc bench)
table1          tiny,smoke,small,paper  CTC and DCTC by model, English
table2          tiny,smoke,small,paper  CTC and DCTC on Chinese lines
table3          tiny,smoke,small,paper  the losses on real words
table3-english  tiny,smoke,small        the best of them on English words, after table3
ablations       tiny,smoke,small        DCTC, one factor at a time
figure1         tiny,smoke,small        where nets of other seeds read each character
figure2         tiny,smoke,small        the scheme of DCTC
figure3         tiny,smoke,small        AACC of each estimator of z* during training
figure4         tiny,smoke,small        features of confused characters
all             tiny,smoke,small,paper  every table and figure, one after the other (paper: the tables)
status          tiny,smoke,small        which runs of them are done, and how long the others take
publish         tiny,smoke,small        copy finished runs and figures into experiments/results
pages           tiny,smoke,small        write the tables of experiments/results into its README.md
"
# What 'all' makes, in this order; of the scale of the paper, there are tables only
RESULTS=(figure2 figure1 figure3 figure4 table1 table2 table3 table3-english ablations)
PAPER_RESULTS=(table1 table2 table3)
VENV=${DCTC_VENV:-.venv}
VENV=${VENV%/}
STAMP_FILE=$VENV/.dctc-stamp # says "incomplete" until everything is installed
LOG=$VENV/setup.log

usage() {
  cat <<EOF
usage: ./reproduce.sh TARGET... [--scale SCALE] [--dry-run] [OPTION...] [-- ARGUMENT...]

TARGET, the scales it knows, what it does:
$TARGETS
--scale     how much to run; smoke unless told otherwise
--dry-run   print the commands; run nothing and make nothing
OPTION      any other option, and what follows it, is passed to each target's command
ARGUMENT    the same, taken as it stands: ./reproduce.sh table1 -- --help

DCTC_VENV is the environment's folder (.venv), PYTHON the interpreter to make it with (python3).
Relative paths are relative to this script's folder.
EOF
}

fail() { # fail CODE MESSAGE
  echo "reproduce.sh: $2" >&2
  exit "$1"
}

run() { # run COMMAND...: show the command, and run it unless this is a dry run
  echo "+$(printf ' %q' "$@")"
  if [[ -z $dry_run ]]; then "$@"; fi
}

quietly() { # the same, with the output in the log and its end shown if the command fails
  if [[ -n $dry_run ]]; then run "$@" && return; fi
  local code=0
  "$@" >>"$LOG" 2>&1 || code=$?
  if ((code)); then
    tail -n 15 "$LOG" >&2
    fail "$code" "'$*' failed; its whole output is in $LOG"
  fi
}

choose_python() { # sets python: an interpreter of 3.11 or newer
  local candidates=(python3 python3.12 python3.11) found
  if [[ -n ${PYTHON:-} ]]; then candidates=("$PYTHON"); fi
  for python in "${candidates[@]}"; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      # Not the one of an active environment, which may be the one about to be replaced.
      python=$("$python" -c 'import sys; print(sys._base_executable)')
      return
    fi
  done
  found=$("${candidates[0]}" --version 2>&1 | head -n 1) || found="does not run"
  fail 1 "needs Python 3.11 or newer (${candidates[0]}: $found); name one with PYTHON=..."
}

requirements() { # all that pyproject.toml asks for, and what an editable install takes
  "$python" -c '
import tomllib
table = tomllib.load(open("pyproject.toml", "rb"))
extras = table["project"].get("optional-dependencies", {})
needs = table["project"]["dependencies"] + sum((extras[name] for name in sorted(extras)), [])
print(*needs, *table["build-system"]["requires"], "editables", sep="\n")'
}

make_stamp() { # prints a hash of what the environment is made from
  { requirements && cat constraints.txt; } | "$python" -c '
import hashlib, platform, sys
made_from = sys.stdin.buffer.read() + platform.python_version().encode()
print(hashlib.sha256(made_from).hexdigest()[:16])'
}

lock() { # waits for the lock on file descriptor 9; it ends with the processes that hold it
  "$python" -c '
import fcntl
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print("waiting for another reproduce.sh to finish its set-up", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)'
}

clear_environment() {
  mkdir -p "$VENV"
  echo incomplete >"$STAMP_FILE"
  find "$VENV" -mindepth 1 -maxdepth 1 ! -name "${STAMP_FILE##*/}" -exec rm -rf {} +
  requirements >"$VENV/requirements.txt"
}

make_environment() {
  if [[ -d $VENV && ! -e $STAMP_FILE && -n $(ls -A "$VENV") ]]; then
    fail 1 "$VENV was not made by reproduce.sh; remove it, or name another folder with DCTC_VENV"
  fi
  if [[ ! -x $VENV/bin/python || $(cat "$STAMP_FILE" 2>/dev/null) != "$stamp" ]]; then
    echo "making the environment in $VENV (up to 6 GB, a few minutes)"
    [[ -n $dry_run ]] || clear_environment
    quietly "$python" -m venv "$VENV"
    quietly "$VENV/bin/python" -m pip install -c constraints.txt -r "$VENV/requirements.txt"
    [[ -n $dry_run ]] || echo "$stamp" >"$STAMP_FILE"
  fi
  [[ -n $dry_run ]] || touch "$STAMP_FILE" # when it was last used
  # Each time, so that an environment made for another clone serves this one.
  quietly "$VENV/bin/python" -m pip install --no-deps --no-build-isolation -e .
}

# glibc gives large blocks back to the system each time they are freed; a training step on a CPU that
# keeps them takes about a tenth less time.
keep_memory() {
  export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-33554432} # 32 MiB, the most it takes
  export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-4294967296}
}

run_target() { # run_target TARGET OPTION...
  local target=$1
  shift
  if [[ $target != test ]]; then keep_memory; fi
  case $target-$scale in
    setup-*) echo "the environment is in $VENV" ;;
    demo-*) run "$VENV/bin/python" -m experiments.demo --scale "$scale" "$@" ;;
    data-tiny) run "$VENV/bin/dctc" data render --count 4 "$@" ;;
    data-*) run "$VENV/bin/dctc" data render "$@" ;;
    table1-*) run "$VENV/bin/python" -m experiments.table1 --scale "$scale" "$@" ;;
    table2-*) run "$VENV/bin/python" -m experiments.table2 --scale "$scale" "$@" ;;
    table3-english-*) run "$VENV/bin/python" -m experiments.table3 --english --scale "$scale" "$@" ;;
    table3-*) run "$VENV/bin/python" -m experiments.table3 --scale "$scale" "$@" ;;
    ablations-*) run "$VENV/bin/python" -m experiments.ablations --scale "$scale" "$@" ;;
    figure[1-4]-*) run "$VENV/bin/python" -m "experiments.$target" --scale "$scale" "$@" ;;
    all-*) run_all "$@" ;;
    status-*) run "$VENV/bin/python" -m experiments.status --scale "$scale" "$@" ;;
    publish-*) run "$VENV/bin/python" -m experiments.publish "$@" ;; # of any scale
    pages-*) run "$VENV/bin/python" -m experiments.pages "$@" ;;
    renderer-*) run "$VENV/bin/python" -m experiments.renderer --scale "$scale" "$@" ;;
    bench-*)
      run "$VENV/bin/dctc" bench --configs experiments/configs/model --scale "$scale" "$@"
      ;;
    test-tiny) run "$VENV/bin/python" -m pytest -q tests/test_packaging.py -m "not slow" "$@" ;;
    test-*)
      run "$VENV/bin/python" -m ruff check
      run "$VENV/bin/python" -m ruff format --check
      run "$VENV/bin/python" -m mypy
      run "$VENV/bin/python" -m pytest "$@"
      ;;
  esac
}

run_all() { # every result; one that fails stops no other
  local result code failed=() results=("${RESULTS[@]}")
  if [[ $scale == paper ]]; then
    results=("${PAPER_RESULTS[@]}")
  elif [[ " $* " != *" --jobs"* ]] && (($(getconf _NPROCESSORS_ONLN) > 1)); then
    set -- "$@" --jobs 2
  fi
  trap 'exit 130' INT # Lightning ends with 1 at an interrupt, which would be one failure of many
  for result in "${results[@]}"; do
    code=0
    run_target "$result" "$@" || code=$?
    if ((code > 128)); then exit "$code"; fi # killed, and so is the whole
    if ((code)); then failed+=("$result"); fi
  done
  if ((${#failed[@]})); then fail 1 "these did not come to their end: ${failed[*]}"; fi
}

targets=() options=() scale=smoke dry_run=''
while (($#)); do
  case $1 in
    -h | --help) usage && exit ;;
    --print-stamp) choose_python && make_stamp && exit ;; # for .ci/run
    --dry-run) dry_run=yes ;;
    --scale=*) scale=${1#*=} ;;
    --scale) scale=${2:-} && shift $(($# > 1)) ;;
    --) shift && options+=("$@") && break ;;
    *) if [[ $1 == -* || ${#options[@]} -gt 0 ]]; then options+=("$1"); else targets+=("$1"); fi ;;
  esac
  shift
done
if ((${#targets[@]} == 0)); then usage >&2 && exit 2; fi
for target in "${targets[@]}"; do
  scales=$(awk -v target="$target" '$1 == target { print $2 }' <<<"$TARGETS")
  [[ -n $scales ]] || fail 2 "no target '$target'; there are:$(awk 'NF { printf " " $1 }' <<<"$TARGETS")"
  [[ $scale != *,* && ,$scales, == *",$scale,"* ]] && continue
  known=${scales//,/ }
  [[ $scale != paper ]] || fail 2 "no scale 'paper' for $target, which is planned at small scales only: $known; \
take one of these, or table1, table2, table3 or all, which print their commands for paper"
  fail 2 "no scale '$scale' for $target; there are: $known"
done

unset PYTHONPATH # pip would take what it finds there for installed
choose_python
stamp=$(make_stamp)
if [[ -n $dry_run ]]; then
  make_environment
else
  mkdir -p "$(dirname -- "$VENV")"
  (
    lock
    make_environment
  ) 9>"$VENV.lock"
fi
export PYTHONPATH=$PWD/src:$PWD # this clone's code, even where clones share an environment
for target in "${targets[@]}"; do
  run_target "$target" ${options[@]+"${options[@]}"}
done
