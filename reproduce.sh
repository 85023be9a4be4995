#!/usr/bin/env bash
# Reproduces the repository's results, in an environment that it makes itself. See --help.
# To add a target: a line in TARGETS, which runs experiments/TARGET.py unless run_target says
# otherwise. Works with bash 3.2 (macOS).
set -euo pipefail
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

# name, the scales it knows, what it does; figures, tables and ablations in the order of 'all'
TARGETS="\
setup           any               make the environment
demo            tiny,smoke        compare CTC and DCTC on rendered words
test            tiny,smoke,small  lint, types, tests (small: slow ones too)
data            any               draw training words (dctc data render)
renderer        tiny,small        train on rendered words, score on real ones
bench           tiny,smoke,small  time and memory of losses (dctc bench)
figure2         tiny,smoke,small  the scheme of DCTC
figure1         tiny,smoke,small  frames of each character in nets of 3 seeds
figure3         tiny,smoke,small  accuracy of estimates of z* in training
figure4         tiny,smoke,small  features of confused characters
table1          tiny,smoke,small  CTC and DCTC by model, English
table2          tiny,smoke,small  CTC and DCTC on Chinese lines
table3          tiny,smoke,small  the losses on real words
table3-english  tiny,smoke,small  best losses on English words, after table3
ablations       tiny,smoke,small  DCTC, one factor at a time
all             tiny,smoke,small  all figures and tables, even after a failure
status          tiny,smoke,small  finished and missing runs (status table1: of one)
publish         any               copy finished runs to experiments/results
pages           any               write experiments/results/TABLES.md and plots"
read -ra RESULTS <<<"$(awk '/^(figure|table|ablations)/ { printf $1 " " }' <<<"$TARGETS")"
VENV=${DCTC_VENV:-.venv}
VENV=${VENV%/}
STAMP_FILE=$VENV/.dctc-stamp # says "incomplete" until everything is installed
LOG=$VENV/setup.log

usage() {
  cat <<TEXT
usage: ./reproduce.sh TARGET... [--scale SCALE] [--dry-run] [OPTION...]
                      [-- ARGUMENT...]

TARGET, the scales it knows, what it does:

$TARGETS

--scale     how much to run (default: smoke; the paper's: experiments/paper.sh)
--dry-run   print the commands; run nothing and make nothing
OPTION      other options, with their values, go to each target's command
ARGUMENT    the same, taken as it stands: ./reproduce.sh table1 -- --help

DCTC_VENV is the environment's folder (.venv), PYTHON its interpreter (python3).
Relative paths are relative to this script's folder.
TEXT
}

fail() { # fail CODE MESSAGE
  echo "reproduce.sh: $2" >&2
  exit "$1"
}

run() { # run COMMAND...: show the command, and run it unless this is a dry run
  echo "+$(printf ' %q' "$@")"
  if [[ -z $dry_run ]]; then "$@"; fi
}

logged() { # the same, with the output in the log
  if [[ -n $dry_run ]]; then run "$@"; else "$@" >>"$LOG" 2>&1; fi
}

quietly() { # the same, with the end of the log shown if the command fails
  local code=0
  logged "$@" || code=$?
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

make_stamp() { # prints a checksum of what the environment is made from
  { cat pyproject.toml constraints.txt && "$python" --version; } | cksum | tr ' ' -
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

# uv does not read pip's settings (index, certificate, constraints): hands them on in its variables,
# which are set in this process alone and not printed.
export_pip_settings() {
  eval "$("$VENV/bin/python" -m pip config list | "$python" -c '
import ast, os, shlex, sys
names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "no-index": "UV_OFFLINE",
         "find-links": "UV_FIND_LINKS", "trusted-host": "UV_INSECURE_HOST", "cert": "SSL_CERT_FILE"}
# as pip: the newest of all indexes, and bytecode, without which every process compiles torch again
# where PYTHONDONTWRITEBYTECODE is set
found = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_COMPILE_BYTECODE": "1"}
constraints = ["constraints.txt", *os.environ.get("UV_CONSTRAINT", "").split()]
for line in sorted(sys.stdin, key=lambda line: line.startswith(":env:")):  # variables come last
    name, _, value = line.partition("=")
    name, values = name.rpartition(".")[2], ast.literal_eval(value.strip()).split()
    constraints += values if name == "constraint" else []
    if name in names:
        found[names[name]] = ("," if name == "find-links" else " ").join(values)
found = {name: os.environ.get(name) or value for name, value in found.items()}
for name, value in {**found, "UV_CONSTRAINT": " ".join(constraints)}.items():
    print("export", name + "=" + shlex.quote(value))')"
}

install() { # install ARGUMENT...: by uv, or by pip where there is no uv or it fails
  local uv=$VENV/bin/uv
  if [[ -n $dry_run || -x $uv ]]; then
    if logged "$uv" pip install --python "$VENV/bin/python" "$@"; then return; fi
    echo "reproduce.sh: uv failed (see $LOG); pip installs instead, which takes minutes" >&2
    rm "$uv"
  fi
  quietly "$VENV/bin/python" -m pip install -c constraints.txt "$@"
}

make_environment() {
  if [[ -d $VENV && ! -e $STAMP_FILE && -n $(ls -A "$VENV") ]]; then
    fail 1 "$VENV was not made by reproduce.sh; remove it, or name another folder with DCTC_VENV"
  fi
  if [[ ! -x $VENV/bin/python || $(cat "$STAMP_FILE" 2>/dev/null) != "$stamp" ]]; then
    echo "making the environment in $VENV (up to 6 GB, a minute or two)"
    if [[ -z $dry_run ]]; then
      mkdir -p "$VENV"
      echo incomplete >"$STAMP_FILE"
      find "$VENV" -mindepth 1 -maxdepth 1 ! -name "${STAMP_FILE##*/}" -exec rm -rf {} +
    fi
    quietly "$python" -m venv "$VENV"
    logged "$VENV/bin/python" -m pip install -c constraints.txt uv ||
      echo "reproduce.sh: no uv to be had (see $LOG); pip installs, which takes minutes" >&2
    [[ -n $dry_run ]] || export_pip_settings
    install -e '.[all]'
    [[ -n $dry_run ]] || echo "$stamp" >"$STAMP_FILE"
  else # an environment made for another clone serves this one
    install --no-deps --no-build-isolation -e .
    [[ -n $dry_run ]] || touch "$STAMP_FILE" # when it was last used
  fi
}

run_module() { run "$VENV/bin/python" -m "$@"; }

run_target() { # run_target TARGET OPTION...
  local target=$1
  shift
  case $target in
    setup) echo "the environment is in $VENV" ;;
    test) run_tests "$@" ;;
    all) run_all "$@" ;;
    data) run_module dctc.cli data render "$@" ;;
    bench) run_module dctc.cli bench --scale "$scale" "$@" ;;
    table3-english) run_module experiments table3 --english --scale "$scale" "$@" ;;
    publish | pages) run_module experiments "$target" "$@" ;;
    *) run_module experiments "$target" --scale "$scale" "$@" ;;
  esac
}

run_tests() { # run_tests OPTION...: options of pytest
  if [[ $scale == tiny ]]; then
    run_module pytest -q tests/test_packaging.py -m "not slow" "$@"
    return
  fi
  run_module ruff check
  run_module ruff format --check
  run_module mypy
  if [[ $scale == smoke ]]; then set -- -m "not slow" "$@"; fi
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # two processes, a core each
  run_module pytest -n 2 --dist loadfile --durations 10 "$@"
}

run_all() { # every result; one that fails stops no other
  local result code failed=()
  if [[ " $* " != *" --jobs"* ]] && (($(getconf _NPROCESSORS_ONLN) > 1)); then
    set -- "$@" --jobs 2
  fi
  trap 'exit 130' INT # Lightning ends with 1 at an interrupt, which would be one failure of many
  for result in "${RESULTS[@]}"; do
    code=0
    run_target "$result" "$@" || code=$?
    if ((code > 128)); then exit "$code"; fi # killed, and so is the whole
    if ((code)); then failed+=("$result"); fi
  done
  if ((${#failed[@]})); then fail 1 "these failed: ${failed[*]}"; fi
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
    *) # behind an option or status, a word is no target
      if [[ $1 == -* || ${#options[@]} -gt 0 || ${targets[0]:-} == status ]]; then
        options+=("$1")
      else
        targets+=("$1")
      fi ;;
  esac
  shift
done
if ((${#targets[@]} == 0)); then usage >&2 && exit 2; fi
for target in "${targets[@]}"; do
  known=$(awk -v name="$target" '$1 == name { print $2 }' <<<"$TARGETS")
  [[ -n $known ]] ||
    fail 2 "no target '$target'; there are:$(awk '{ printf " " $1 }' <<<"$TARGETS")"
  [[ $known != any ]] || known=tiny,smoke,small
  if [[ $scale == paper ]]; then
    fail 2 "no scale 'paper' for $target; experiments/paper.sh trains rows of the paper's tables"
  elif [[ $scale == *,* || ,$known, != *",$scale,"* ]]; then
    fail 2 "no scale '$scale' for $target; there are: ${known//,/ }"
  fi
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
