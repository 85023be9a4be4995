#!/usr/bin/env bash
# Trains rows of the paper's tables at the scale of the paper, on one node or on several. See --help.
# Batch size and learning rate of a configuration are those of all processes together, so that they
# stay as they are on any number of nodes. Works with bash 3.2 (macOS).
set -euo pipefail
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

CONFIGS=experiments/configs
BIN=${DCTC_VENV:-.venv}/bin
export PYTHONPATH=$PWD/src # this clone's code, even where clones share an environment
# Losses with two views of each image train on half as many words, and as many steps as their
# reference: 20 epochs of 7,910 batches of 2,048 of 16.2 million words.
AS_LONG="--trainer.max_epochs=-1 --trainer.max_steps=158200"

usage() {
  cat <<TEXT
usage: experiments/paper.sh ROW... [--seed N] [--test] [--nodes N --host HOST | --slurm [--nodes N]]
                            [--gpus N] [--dry-run] [OPTION...]
       experiments/paper.sh --list

ROW         a model and a loss, as --list prints them: table1/svtr_tiny/dctc
--seed      seed of the run (0)
--test      score what was trained on the test sets, into the registry of runs, on one node
--nodes     by torchrun on N nodes that share the folder of runs: start the same command on each,
            HOST is the first of them
--slurm     the same as a job of SLURM on N nodes (1)
--gpus      of each node (those of the configuration)
--dry-run   print the commands
OPTION      any other option, and what follows it, is passed to dctc

The same command goes on where a training was interrupted.

First ./reproduce.sh setup. The sets lie below DCTC_DATA (README.md, Data), for table 2 the
benchmark's alphabet as data/chinese/alphabet.txt. Runs lie below \${DCTC_RUNS:-runs}.
TEXT
}

fail() {
  echo "paper.sh: $1" >&2
  exit 2
}

rows() { # a line each: ROW CONFIGURATION OPTION...
  local model loss set file options
  for model in crnn svtr_tiny svtr_small svtr_base svtr_large resnet18; do
    for loss in dctc ctc; do
      echo "table1/$model/$loss $CONFIGS/paper/english_${model}_dctc.yaml"
    done
  done
  for model in crnn svtr_base svtr_large; do # a training for each set
    for set in Scene Web Document Handwriting; do
      options="--data.init_args.train=[$set] --data.init_args.test=[$set]"
      for loss in dctc ctc; do
        echo "table2/$model-$(tr '[:upper:]' '[:lower:]' <<<"$set")/$loss" \
          "$CONFIGS/paper/chinese_${model}_dctc.yaml $options"
      done
    done
  done
  # Which net and which losses the paper's table 3 has is not known to us: SVTR-T, each loss as its
  # fragment has it. CTC and DCTC are those of table 1.
  for file in "$CONFIGS"/loss/*.yaml; do
    loss=$(basename "$file" .yaml) options=''
    case $loss in
      ctc | dctc | character_cross_entropy) continue ;; # the last is for nets with attention
      center) options="--model.loss.init_args.num_features=192" ;; # those of SVTR-T
      cr_ctc) options="--data.init_args.batch_size=1024 $AS_LONG" ;;
    esac
    echo "table3/svtr_tiny/$loss $CONFIGS/paper/english_svtr_tiny_dctc.yaml $options"
  done
  # the reference of CR-CTC, whose views are augmented
  echo "table3/svtr_tiny/ctc_augmented $CONFIGS/paper/english_svtr_tiny_dctc.yaml" \
    "--data.init_args.augment=1.0 $AS_LONG"
}

setting() { # setting NAME FILE: a number that a configuration gives, or 1
  local value
  value=$(sed -n "s/^ *$1: \([0-9]*\)$/\1/p" "$2")
  echo "${value:-1}"
}

run() { # run COMMAND...: show the command, and run it unless this is a dry run
  echo "+$(printf ' %q' "$@")"
  if [[ -z $dry_run ]]; then "$@"; fi
}

train() { # train ROW CONFIGURATION OPTION...
  local config=$2 loss=${1##*/} model=${1%/*} gpus workers
  shift 2
  local arm=${model%/*}-paper/${model#*/}-$loss
  local run=${DCTC_RUNS:-runs}/$arm/seed$seed
  if [[ -n $test ]]; then
    run "$BIN/dctc" test --config "$run/config.yaml" --trainer.num_nodes=1 \
      ${per_node:+"--trainer.devices=$per_node"} --ckpt_path "$run/checkpoints/final.ckpt" ${options[@]+"${options[@]}"}
    return
  fi
  case $loss in
    dctc) ;; # as the configurations have it
    ctc | ctc_augmented) set -- --config "$CONFIGS/loss/ctc.yaml" "$@" ;;
    *) set -- --config "$CONFIGS/loss/$loss.yaml" "--trainer.callbacks=[]" "$@" ;;
  esac
  set -- fit --config "$config" "$@" --seed_everything "$seed" --arm "$arm" --name "$arm/seed$seed" \
    ${options[@]+"${options[@]}"}
  if [[ -n $per_node ]]; then set -- "$@" "--trainer.devices=$per_node"; fi
  gpus=${per_node:-$(setting devices "$config")} workers=$(setting num_workers "$config")
  if [[ -n $slurm ]]; then # srun starts a process for each GPU, which Lightning finds by itself
    run sbatch --nodes "$nodes" --ntasks-per-node "$gpus" --gpus-per-node "$gpus" \
      --cpus-per-task "$workers" --job-name "$arm" --wrap "srun --kill-on-bad-exit=1 --cpus-per-task \
$workers$(printf ' %q' "$BIN/dctc" "$@" "--trainer.num_nodes=$nodes")"
  elif [[ -n $host ]]; then # without --, torchrun takes --log for an abbreviation of its own options
    run "$BIN/torchrun" --nnodes "$nodes" --nproc_per_node "$gpus" --rdzv_backend c10d \
      --rdzv_endpoint "$host:29500" -m -- dctc.cli "$@" "--trainer.num_nodes=$nodes"
  else
    run "$BIN/dctc" "$@"
  fi
}

chosen=() options=() seed=0 nodes=1 gpus='' host='' slurm='' test='' dry_run=''
while (($#)); do
  case $1 in
    --seed=* | --nodes=* | --gpus=* | --host=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
  esac
  case $1 in
    -h | --help) usage && exit ;;
    --list) rows | cut -d ' ' -f 1 && exit ;;
    --seed | --nodes | --gpus | --host)
      (($# > 1)) || fail "$1 needs a value"
      printf -v "${1#--}" %s "$2" && shift
      ;;
    --slurm) slurm=yes ;;
    --test) test=yes ;;
    --dry-run) dry_run=yes ;;
    --) shift && options+=("$@") && break ;;
    *) if [[ $1 == -* || ${#options[@]} -gt 0 ]]; then options+=("$1"); else chosen+=("$1"); fi ;;
  esac
  shift
done
if ((${#chosen[@]} == 0)); then usage >&2 && exit 2; fi
[[ $seed$nodes$gpus =~ ^[0-9]+$ && $nodes != 0 && $gpus != 0 ]] ||
  fail "--seed, --nodes and --gpus are numbers"
per_node=$gpus
[[ $nodes == 1 || -n $slurm$host ]] || fail "--nodes $nodes needs --slurm, or --host for torchrun"

for row in "${chosen[@]}"; do
  found=$(rows | awk -v row="$row" '$1 == row')
  [[ -n $found ]] || fail "no row '$row'; experiments/paper.sh --list prints them"
  read -ra words <<<"$found"
  train "${words[@]}"
done
