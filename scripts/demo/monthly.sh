# Prints month,mean,maximum,hours for each month of the hourly temperatures in the file $1.
# Reads UNIT (celsius or fahrenheit) and DIGITS from the file `parameters`. Runs in busybox, inside the job.
set -eu
. ./parameters
awk -F, -v unit="$UNIT" -v digits="$DIGITS" '
    NR > 1 {
        month = substr($2, 6, 2)
        degrees = unit == "celsius" ? ($1 - 32) * 5 / 9 : $1
        sum[month] += degrees
        if (!hours[month]++ || degrees > max[month]) max[month] = degrees
    }
    END {
        for (i = 1; i <= 12; i++) {
            m = sprintf("%02d", i)
            printf "%s,%." digits "f,%." digits "f,%d\n", m, sum[m] / hours[m], max[m], hours[m]
        }
    }
' "$1"
