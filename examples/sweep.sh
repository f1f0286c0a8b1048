#!/bin/sh
# A sweep over two parameters: six jobs as one set, at most two at once. Each result becomes a file, the best one a line.
#   sh examples/sweep.sh [FOLDER]
set -eu
folder=${1:-results}
mkdir -p "$folder"
set="sweep-$$"

# The job's command is a text in single quotes: the shell of this machine changes nothing in it, jobctl puts values in place of {lr} and {seed}.
jobctl sweep --set "$set" --max 2 --each lr=0.1,0.01 --each seed=1..3 --out "loss=$folder/{lr}-{seed}" \
    --sh 'awk "BEGIN { srand({seed}); print rand() * {lr} }" > loss' busybox:latest

jobctl ls -a --set "$set"  # also: jobctl sets; jobctl retry --failed "$set"
cd "$folder" && grep -H . -- * | sort -t : -k 2 -g | head -n 1
