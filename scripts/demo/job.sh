# The worker of the demo's first job: data/sf-temps.csv -> results/monthly.csv and results/summary.json.
set -eu
rows=$(($(wc -l < data/sf-temps.csv) - 1))
echo "$rows hours of data; waiting until a reader has seen this line"
wget -q -O /dev/null "$GATE"
mkdir -p results/trace
sh ./monthly.sh data/sf-temps.csv > results/monthly.csv
awk -F, '{ printf "month %s: mean %s, maximum %s, over %d hours\n", $1, $2, $3, $4 }' results/monthly.csv
awk -F, -v rows="$rows" '
    BEGIN { printf "{\"rows\": %d, \"months\": {", rows }
    { printf "%s\"%s\": {\"mean\": %s, \"max\": %s, \"hours\": %d}", (NR > 1 ? ", " : ""), $1, $2, $3, $4 }
    END { print "}}" }
' results/monthly.csv > results/summary.json
echo scratch > results/trace/worker.log
printf 'done; this line has no newline at its end' >&2
