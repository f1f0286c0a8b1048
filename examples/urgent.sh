#!/bin/sh
# An urgent job in a full queue: the group runs one job at a time, and the last job that is submitted starts before those that wait.
#   sh examples/urgent.sh
set -eu
group="nightly-$$"
jobctl group set "$group" --max 1
for number in 1 2 3 4; do
    jobctl run -d --group "$group" --name "$group-$number" busybox:latest sleep 1
done
urgent=$(jobctl run -d --group "$group" --name "$group-urgent" busybox:latest date)

jobctl bump "$urgent"       # before all jobs that wait; the running one goes on
jobctl ls --group "$group"  # POSITION has the order
jobctl logs -f "$urgent"

jobctl wait "$urgent" "$group-1" "$group-2" "$group-3" "$group-4"
jobctl group rm "$group"
