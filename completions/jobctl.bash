# bash completion for jobctl. Made by scripts/generate_docs.py.

# Offers the words of a list that begin with $cur, without the first $cut characters, which readline keeps.
_jobctl_offer() {
    local word
    for word in $1; do
        [[ "$word" == "$cur"* ]] && COMPREPLY+=("${word:cut}")
    done
}
_jobctl_files() {
    compopt -o default
}
# Offers, after NAME=, local paths; after NAME=job: ids, and after NAME=job:ID/ the paths in the job's workspace.
_jobctl_pair() {
    local line start="${cur%%=job:*}=job:"
    if [[ "$cur" != *=job:* ]]; then
        [[ "$cur" == *=* ]] && _jobctl_files
        return
    fi
    compopt -o nospace
    line="${cur#"$start"}"
    if [[ "$line" == */* ]]; then
        line="${line//\\/}"
        while IFS= read -r line; do
            line="$start${line/:/\/}"
            COMPREPLY+=("$(printf %q "${line:cut}")")
        done < <(jobctl __paths "${line/\//:}" 2>/dev/null)
    else
        for line in $(jobctl ls -q -a --limit 200 2>/dev/null) @last; do
            line="$start$line/"
            [[ "$line" == "$cur"* ]] && COMPREPLY+=("${line:cut}")
        done
    fi
}
# Offers ids with a colon, and after the colon the paths in the job's workspace.
_jobctl_source() {
    local line
    compopt -o nospace
    if [[ "$cur" == *:* ]]; then
        while IFS= read -r line; do
            COMPREPLY+=("$(printf %q "${line:cut}")")
        done < <(jobctl __paths "${cur//\\/}" 2>/dev/null)
    else
        for line in $(jobctl ls -q -a --limit 200 2>/dev/null) @last; do
            [[ "$line" == "$cur"* ]] && COMPREPLY+=("$line:")
        done
    fi
}
# Offers the images of recent jobs, the latest first.
_jobctl_images() {
    compopt -o nosort 2>/dev/null
    _jobctl_offer "$(jobctl __images 2>/dev/null)"
}
# Sets $place to what the cursor is at: an option or the image (first), only the image (image), the value of an option (value), or a word
# of the command after the image (command). $1 matches a word that a value follows.
_jobctl_place() {
    local i
    place=first
    for ((i = at + 1; i < ${#typed[@]} - 1; i++)); do
        if [[ "$place" == first && "${typed[i]}" == -- ]]; then
            place=image
        elif [[ "$place" == first && "${typed[i]}" == -?* ]]; then
            [[ "${typed[i]}" =~ $1 ]] && ((i++))
        else
            place=command
            return
        fi
    done
    if ((i >= ${#typed[@]})); then place=value; fi
}
_jobctl() {
    local place="" glue='^[=:]+$'
    local cur prev command="" flags="--host --output --json --help --version" words="" files="" copy="" group="" i at piece cut
    # Readline splits words at =, : and @; join them again. A word other than an image, and the value of an option, may begin
    # with @.
    local -a typed=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece="${COMP_WORDS[i]}"
        if [[ "$piece" == run || "$piece" == submit || "$piece" == sweep ]]; then glue='^[=:@]+$'; fi
        if ((i > 1)) && [[ "$piece" =~ $glue && ! ("$piece" == @ && "${COMP_WORDS[i-1]}" == -*) || "${COMP_WORDS[i-1]}" =~ ^[=:@]+$ ]]; then
            typed[${#typed[@]}-1]+="$piece"
        else
            typed+=("$piece")
        fi
    done
    [[ "$piece" =~ ^[=:]+$ ]] && piece=""
    [[ "${COMP_WORDS[COMP_CWORD-1]}" == @ ]] && piece="@$piece" # readline keeps the text before an @, but not the @
    cur="${typed[${#typed[@]}-1]}"
    prev="${typed[${#typed[@]}-2]}"
    cut=$((${#cur} - ${#piece}))
    COMPREPLY=()
    for ((at = 1; at < ${#typed[@]} - 1; at++)); do
        case "${typed[at]}" in
        --host|-o|--output) ((at++)) ;;
        -*) ;;
        *) command="${typed[at]}"; break ;;
        esac
    done
    case "$command" in
    run) _jobctl_place '^(--file|--detach-keys|--sh|--name|--env|--env-file|--secret|--workdir|--memory|--cpus|--pids-limit|--timeout|--retries|--retry-on|--label|--meta|--in|--out|--write|--read|--priority|--group|--set|--after|--gpus|--callback|--callback-key-file|--callback-events|--user|--pull|--entrypoint|--platform|--runtime|--cap-drop|--cap-add|--stop-signal|--stop-timeout|--volume|--mount|--tmpfs|--shm-size|--hostname|--network|--publish|--add-host|--dns|--ulimit|--device|--host|--output|-[dith]*[fewmluvpo])$' ;;
    submit) _jobctl_place '^(--file|--sh|--name|--env|--env-file|--secret|--workdir|--memory|--cpus|--pids-limit|--timeout|--retries|--retry-on|--label|--meta|--in|--out|--write|--read|--priority|--group|--set|--after|--gpus|--callback|--callback-key-file|--callback-events|--user|--pull|--entrypoint|--platform|--runtime|--cap-drop|--cap-add|--stop-signal|--stop-timeout|--volume|--mount|--tmpfs|--shm-size|--hostname|--network|--publish|--add-host|--dns|--ulimit|--device|--host|--output|-[ith]*[fewmluvpo])$' ;;
    sweep) _jobctl_place '^(--each|--each-line|--each-file|--max|--file|--sh|--env|--env-file|--secret|--workdir|--memory|--cpus|--pids-limit|--timeout|--retries|--retry-on|--label|--meta|--in|--out|--write|--read|--priority|--group|--set|--after|--gpus|--callback|--callback-key-file|--callback-events|--user|--pull|--entrypoint|--platform|--runtime|--cap-drop|--cap-add|--stop-signal|--stop-timeout|--volume|--mount|--tmpfs|--shm-size|--hostname|--network|--publish|--add-host|--dns|--ulimit|--device|--host|--output|-[dh]*[fewmluvpo])$' ;;
    esac
    case "$place" in
    image) _jobctl_images; return ;;
    command) return ;;
    esac
    if [[ "$cur" == --*=* ]]; then
        prev="${cur%%=*}"
        cur="${cur#*=}"
        ((cut = cut > ${#prev} ? cut - ${#prev} - 1 : 0))
    fi
    case "$prev" in
    -o|--output) _jobctl_offer "table wide json yaml name"; return ;;
    --host) return ;;
    esac
    if [[ -z "$command" ]]; then
        _jobctl_offer "run submit sweep ls sets top stats show explain attach exec logs wait bump pause resume group retry cancel rm prune cp fetch validate events deliveries replay verify listen daemon doctor completion version $flags"
        [[ -n "$cur" ]] && _jobctl_offer "ps list inspect stop kill delete help"
        return
    fi
    case "$command" in
    ps|list) command=ls ;;
    inspect) command=show ;;
    stop|kill) command=cancel ;;
    delete) command=rm ;;
    help) _jobctl_offer "run submit sweep ls sets top stats show explain attach exec logs wait bump pause resume group retry cancel rm prune cp fetch validate events deliveries replay verify listen daemon doctor completion version"; return ;;
    esac
    if ((${#typed[@]} > at + 2)) || [[ "${typed[${#typed[@]}-1]}" == --*=* ]]; then
        case "$command:$prev" in
        run:-f|run:--file) _jobctl_files; return ;;
        run:--detach-keys) return ;;
        run:--sh) return ;;
        run:--name) return ;;
        run:-e|run:--env) return ;;
        run:--env-file) _jobctl_files; return ;;
        run:--secret) _jobctl_pair; return ;;
        run:-w|run:--workdir) return ;;
        run:-m|run:--memory) return ;;
        run:--cpus) return ;;
        run:--pids-limit) return ;;
        run:--timeout) return ;;
        run:--retries) return ;;
        run:--retry-on) _jobctl_offer "exit-code timeout oom-killed lost start-failed image-not-found input-failed refused-by-engine engine-error"; return ;;
        run:-l|run:--label) return ;;
        run:--meta) return ;;
        run:--in) _jobctl_pair; return ;;
        run:--out) _jobctl_pair; return ;;
        run:--write) return ;;
        run:--read) return ;;
        run:--priority) return ;;
        run:--group) _jobctl_offer "$(jobctl group ls -o name 2>/dev/null)"; return ;;
        run:--set) _jobctl_offer "$(jobctl sets -q --limit 100 2>/dev/null)"; return ;;
        run:--after) _jobctl_offer "$(jobctl ls -q -a --limit 200 2>/dev/null) @last"; return ;;
        run:--gpus) _jobctl_offer "all"; return ;;
        run:--callback) return ;;
        run:--callback-key-file) _jobctl_files; return ;;
        run:--callback-events) _jobctl_offer "start log exit retry artifact complete"; return ;;
        run:-u|run:--user) _jobctl_offer "me"; return ;;
        run:--pull) _jobctl_offer "missing always never"; return ;;
        run:--entrypoint) return ;;
        run:--platform) return ;;
        run:--runtime) return ;;
        run:--cap-drop) return ;;
        run:--cap-add) return ;;
        run:--stop-signal) _jobctl_offer "TERM INT QUIT HUP USR1 USR2 KILL"; return ;;
        run:--stop-timeout) return ;;
        run:-v|run:--volume) return ;;
        run:--mount) return ;;
        run:--tmpfs) return ;;
        run:--shm-size) return ;;
        run:--hostname) return ;;
        run:--network) _jobctl_offer "none bridge"; return ;;
        run:-p|run:--publish) return ;;
        run:--add-host) return ;;
        run:--dns) return ;;
        run:--ulimit) return ;;
        run:--device) return ;;
        run:--host) return ;;
        run:-o|run:--output) _jobctl_offer "table wide json yaml name"; return ;;
        submit:-f|submit:--file) _jobctl_files; return ;;
        submit:--sh) return ;;
        submit:--name) return ;;
        submit:-e|submit:--env) return ;;
        submit:--env-file) _jobctl_files; return ;;
        submit:--secret) _jobctl_pair; return ;;
        submit:-w|submit:--workdir) return ;;
        submit:-m|submit:--memory) return ;;
        submit:--cpus) return ;;
        submit:--pids-limit) return ;;
        submit:--timeout) return ;;
        submit:--retries) return ;;
        submit:--retry-on) _jobctl_offer "exit-code timeout oom-killed lost start-failed image-not-found input-failed refused-by-engine engine-error"; return ;;
        submit:-l|submit:--label) return ;;
        submit:--meta) return ;;
        submit:--in) _jobctl_pair; return ;;
        submit:--out) _jobctl_pair; return ;;
        submit:--write) return ;;
        submit:--read) return ;;
        submit:--priority) return ;;
        submit:--group) _jobctl_offer "$(jobctl group ls -o name 2>/dev/null)"; return ;;
        submit:--set) _jobctl_offer "$(jobctl sets -q --limit 100 2>/dev/null)"; return ;;
        submit:--after) _jobctl_offer "$(jobctl ls -q -a --limit 200 2>/dev/null) @last"; return ;;
        submit:--gpus) _jobctl_offer "all"; return ;;
        submit:--callback) return ;;
        submit:--callback-key-file) _jobctl_files; return ;;
        submit:--callback-events) _jobctl_offer "start log exit retry artifact complete"; return ;;
        submit:-u|submit:--user) _jobctl_offer "me"; return ;;
        submit:--pull) _jobctl_offer "missing always never"; return ;;
        submit:--entrypoint) return ;;
        submit:--platform) return ;;
        submit:--runtime) return ;;
        submit:--cap-drop) return ;;
        submit:--cap-add) return ;;
        submit:--stop-signal) _jobctl_offer "TERM INT QUIT HUP USR1 USR2 KILL"; return ;;
        submit:--stop-timeout) return ;;
        submit:-v|submit:--volume) return ;;
        submit:--mount) return ;;
        submit:--tmpfs) return ;;
        submit:--shm-size) return ;;
        submit:--hostname) return ;;
        submit:--network) _jobctl_offer "none bridge"; return ;;
        submit:-p|submit:--publish) return ;;
        submit:--add-host) return ;;
        submit:--dns) return ;;
        submit:--ulimit) return ;;
        submit:--device) return ;;
        submit:--host) return ;;
        submit:-o|submit:--output) _jobctl_offer "table wide json yaml name"; return ;;
        sweep:--each) return ;;
        sweep:--each-line) _jobctl_files; return ;;
        sweep:--each-file) return ;;
        sweep:--max) return ;;
        sweep:-f|sweep:--file) _jobctl_files; return ;;
        sweep:--sh) return ;;
        sweep:-e|sweep:--env) return ;;
        sweep:--env-file) _jobctl_files; return ;;
        sweep:--secret) _jobctl_pair; return ;;
        sweep:-w|sweep:--workdir) return ;;
        sweep:-m|sweep:--memory) return ;;
        sweep:--cpus) return ;;
        sweep:--pids-limit) return ;;
        sweep:--timeout) return ;;
        sweep:--retries) return ;;
        sweep:--retry-on) _jobctl_offer "exit-code timeout oom-killed lost start-failed image-not-found input-failed refused-by-engine engine-error"; return ;;
        sweep:-l|sweep:--label) return ;;
        sweep:--meta) return ;;
        sweep:--in) _jobctl_pair; return ;;
        sweep:--out) _jobctl_pair; return ;;
        sweep:--write) return ;;
        sweep:--read) return ;;
        sweep:--priority) return ;;
        sweep:--group) _jobctl_offer "$(jobctl group ls -o name 2>/dev/null)"; return ;;
        sweep:--set) _jobctl_offer "$(jobctl sets -q --limit 100 2>/dev/null)"; return ;;
        sweep:--after) _jobctl_offer "$(jobctl ls -q -a --limit 200 2>/dev/null) @last"; return ;;
        sweep:--gpus) _jobctl_offer "all"; return ;;
        sweep:--callback) return ;;
        sweep:--callback-key-file) _jobctl_files; return ;;
        sweep:--callback-events) _jobctl_offer "start log exit retry artifact complete"; return ;;
        sweep:-u|sweep:--user) _jobctl_offer "me"; return ;;
        sweep:--pull) _jobctl_offer "missing always never"; return ;;
        sweep:--entrypoint) return ;;
        sweep:--platform) return ;;
        sweep:--runtime) return ;;
        sweep:--cap-drop) return ;;
        sweep:--cap-add) return ;;
        sweep:--stop-signal) _jobctl_offer "TERM INT QUIT HUP USR1 USR2 KILL"; return ;;
        sweep:--stop-timeout) return ;;
        sweep:-v|sweep:--volume) return ;;
        sweep:--mount) return ;;
        sweep:--tmpfs) return ;;
        sweep:--shm-size) return ;;
        sweep:--hostname) return ;;
        sweep:--network) _jobctl_offer "none bridge"; return ;;
        sweep:-p|sweep:--publish) return ;;
        sweep:--add-host) return ;;
        sweep:--dns) return ;;
        sweep:--ulimit) return ;;
        sweep:--device) return ;;
        sweep:--host) return ;;
        sweep:-o|sweep:--output) _jobctl_offer "table wide json yaml name"; return ;;
        ls:--status) _jobctl_offer "accepted running completed failed cancelled unreadable"; return ;;
        ls:-l|ls:--label) return ;;
        ls:--group) _jobctl_offer "$(jobctl group ls -o name 2>/dev/null)"; return ;;
        ls:--set) _jobctl_offer "$(jobctl sets -q --limit 100 2>/dev/null)"; return ;;
        ls:--since) return ;;
        ls:--limit) return ;;
        ls:--host) return ;;
        ls:-o|ls:--output) _jobctl_offer "table wide json yaml name"; return ;;
        sets:--limit) return ;;
        sets:--host) return ;;
        sets:-o|sets:--output) _jobctl_offer "table wide json yaml name"; return ;;
        top:--interval) return ;;
        top:--host) return ;;
        top:-o|top:--output) _jobctl_offer "table wide json yaml name"; return ;;
        stats:--since) return ;;
        stats:--by) _jobctl_offer "image group label"; return ;;
        stats:--limit) return ;;
        stats:--host) return ;;
        stats:-o|stats:--output) _jobctl_offer "table wide json yaml name"; return ;;
        show:--host) return ;;
        show:-o|show:--output) _jobctl_offer "table wide json yaml name"; return ;;
        explain:--host) return ;;
        explain:-o|explain:--output) _jobctl_offer "table wide json yaml name"; return ;;
        attach:--detach-keys) return ;;
        attach:--host) return ;;
        attach:-o|attach:--output) _jobctl_offer "table wide json yaml name"; return ;;
        exec:-e|exec:--env) return ;;
        exec:-w|exec:--workdir) return ;;
        exec:-u|exec:--user) _jobctl_offer "me"; return ;;
        exec:--detach-keys) return ;;
        exec:--host) return ;;
        exec:-o|exec:--output) _jobctl_offer "table wide json yaml name"; return ;;
        logs:-l|logs:--label) return ;;
        logs:--tail) return ;;
        logs:--since) return ;;
        logs:--stream) _jobctl_offer "stdout stderr"; return ;;
        logs:--host) return ;;
        logs:-o|logs:--output) _jobctl_offer "table wide json yaml name"; return ;;
        wait:-l|wait:--label) return ;;
        wait:--set) _jobctl_offer "$(jobctl sets -q --limit 100 2>/dev/null)"; return ;;
        wait:--timeout) return ;;
        wait:--host) return ;;
        wait:-o|wait:--output) _jobctl_offer "table wide json yaml name"; return ;;
        bump:--priority) return ;;
        bump:--host) return ;;
        bump:-o|bump:--output) _jobctl_offer "table wide json yaml name"; return ;;
        pause:--host) return ;;
        pause:-o|pause:--output) _jobctl_offer "table wide json yaml name"; return ;;
        resume:--host) return ;;
        resume:-o|resume:--output) _jobctl_offer "table wide json yaml name"; return ;;
        group:--max) return ;;
        group:--host) return ;;
        group:-o|group:--output) _jobctl_offer "table wide json yaml name"; return ;;
        retry:-l|retry:--label) return ;;
        retry:--name) return ;;
        retry:--secret) _jobctl_pair; return ;;
        retry:--in) _jobctl_pair; return ;;
        retry:--out) _jobctl_pair; return ;;
        retry:--after) return ;;
        retry:--host) return ;;
        retry:-o|retry:--output) _jobctl_offer "table wide json yaml name"; return ;;
        cancel:-l|cancel:--label) return ;;
        cancel:--set) _jobctl_offer "$(jobctl sets -q --limit 100 2>/dev/null)"; return ;;
        cancel:--grace) return ;;
        cancel:--signal) _jobctl_offer "TERM INT QUIT HUP USR1 USR2 KILL"; return ;;
        cancel:--reason) return ;;
        cancel:--host) return ;;
        cancel:-o|cancel:--output) _jobctl_offer "table wide json yaml name"; return ;;
        rm:--host) return ;;
        rm:-o|rm:--output) _jobctl_offer "table wide json yaml name"; return ;;
        prune:--older-than) return ;;
        prune:--status) _jobctl_offer "completed failed cancelled"; return ;;
        prune:-l|prune:--label) return ;;
        prune:--host) return ;;
        prune:-o|prune:--output) _jobctl_offer "table wide json yaml name"; return ;;
        cp:--max-size) return ;;
        cp:--host) return ;;
        cp:-o|cp:--output) _jobctl_offer "table wide json yaml name"; return ;;
        fetch:--host) return ;;
        fetch:-o|fetch:--output) _jobctl_offer "table wide json yaml name"; return ;;
        validate:-f|validate:--file) _jobctl_files; return ;;
        validate:--host) return ;;
        validate:-o|validate:--output) _jobctl_offer "table wide json yaml name"; return ;;
        events:--job) _jobctl_offer "$(jobctl ls -q -a --limit 200 2>/dev/null) @last"; return ;;
        events:--after) return ;;
        events:--host) return ;;
        events:-o|events:--output) _jobctl_offer "table wide json yaml name"; return ;;
        deliveries:--state) _jobctl_offer "pending delivered parked abandoned"; return ;;
        deliveries:--host) return ;;
        deliveries:-o|deliveries:--output) _jobctl_offer "table wide json yaml name"; return ;;
        replay:--job) _jobctl_offer "$(jobctl ls -q -a --limit 200 2>/dev/null) @last"; return ;;
        replay:--host) return ;;
        replay:-o|replay:--output) _jobctl_offer "table wide json yaml name"; return ;;
        verify:--key-file) _jobctl_files; return ;;
        verify:-H|verify:--header) return ;;
        verify:--tolerance) return ;;
        verify:--host) return ;;
        verify:-o|verify:--output) _jobctl_offer "table wide json yaml name"; return ;;
        listen:--port) return ;;
        listen:--bind) return ;;
        listen:--key-file) _jobctl_files; return ;;
        listen:--status) return ;;
        listen:-n|listen:--count) return ;;
        listen:--host) return ;;
        listen:-o|listen:--output) _jobctl_offer "table wide json yaml name"; return ;;
        daemon:--tail) return ;;
        daemon:--host) return ;;
        daemon:-o|daemon:--output) _jobctl_offer "table wide json yaml name"; return ;;
        doctor:--host) return ;;
        doctor:-o|doctor:--output) _jobctl_offer "table wide json yaml name"; return ;;
        completion:--host) return ;;
        completion:-o|completion:--output) _jobctl_offer "table wide json yaml name"; return ;;
        version:--host) return ;;
        version:-o|version:--output) _jobctl_offer "table wide json yaml name"; return ;;
        esac
    fi
    case "$command" in
        run) flags="-f --file -d --detach -i --interactive -t --tty --detach-keys --sh --name -e --env --env-file --secret -w --workdir -m --memory --cpus --pids-limit --timeout --retries --retry-on -l --label --meta --in --out --write --read --priority --group --set --after --gpus --callback --callback-key-file --callback-events --callback-batch -u --user --pull --entrypoint --platform --runtime --read-only --cap-drop --cap-add --init --no-init --rm --stop-signal --stop-timeout -v --volume --mount --tmpfs --shm-size --hostname --network -p --publish --add-host --dns --ulimit --device --raw --host -o --output --json"; : ;;
        submit) flags="-f --file -i --interactive -t --tty --sh --name -e --env --env-file --secret -w --workdir -m --memory --cpus --pids-limit --timeout --retries --retry-on -l --label --meta --in --out --write --read --priority --group --set --after --gpus --callback --callback-key-file --callback-events --callback-batch -u --user --pull --entrypoint --platform --runtime --read-only --cap-drop --cap-add --init --no-init --rm --stop-signal --stop-timeout -v --volume --mount --tmpfs --shm-size --hostname --network -p --publish --add-host --dns --ulimit --device --host -o --output --json"; : ;;
        sweep) flags="--each --each-line --each-file --max --dry-run -f --file -d --detach --sh -e --env --env-file --secret -w --workdir -m --memory --cpus --pids-limit --timeout --retries --retry-on -l --label --meta --in --out --write --read --priority --group --set --after --gpus --callback --callback-key-file --callback-events --callback-batch -u --user --pull --entrypoint --platform --runtime --read-only --cap-drop --cap-add --init --no-init --rm --stop-signal --stop-timeout -v --volume --mount --tmpfs --shm-size --hostname --network -p --publish --add-host --dns --ulimit --device --host -o --output --json"; : ;;
        ls) flags="-a --all -q --quiet -w --watch --status -l --label --group --set --mine --since --limit --host -o --output --json"; : ;;
        sets) flags="-q --quiet --limit --host -o --output --json"; : ;;
        top) flags="--once --interval --host -o --output --json"; : ;;
        stats) flags="--since --by --limit --host -o --output --json"; : ;;
        show) flags="--host -o --output --json"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        explain) flags="--host -o --output --json"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        attach) flags="--no-stdin --detach-keys --host -o --output --json"; : ;;
        exec) flags="-i --interactive -t --tty -e --env -w --workdir -u --user --detach-keys --host -o --output --json"; : ;;
        logs) flags="-l --label -f --follow --tail --since -t --timestamps --stream --raw --host -o --output --json"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        wait) flags="-l --label --set --any --timeout --host -o --output --json"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        bump) flags="--priority --host -o --output --json"; words="$(jobctl ls -q --status accepted --limit 200 2>/dev/null) @last" ;;
        pause) flags="--running --host -o --output --json"; words="$(jobctl ls -q --status accepted,running --limit 200 2>/dev/null) @last" ;;
        resume) flags="--host -o --output --json"; words="$(jobctl ls -q --status accepted,running --limit 200 2>/dev/null) @last" ;;
        group) flags="--max --no-max --running --host -o --output --json"; group=1 ;;
        retry) flags="--failed -l --label --name --secret --in --out --outputs --after --host -o --output --json"; words="$(jobctl ls -q --status completed,failed,cancelled --limit 200 2>/dev/null) @last" ;;
        cancel) flags="-l --label --set --grace --signal --reason --host -o --output --json"; words="$(jobctl ls -q --status accepted,running --limit 200 2>/dev/null) @last" ;;
        rm) flags="-f --force --host -o --output --json"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        prune) flags="--older-than --status -l --label --mine --dry-run -f --yes --host -o --output --json"; : ;;
        cp) flags="--max-size --host -o --output --json"; copy=1 ;;
        fetch) flags="--host -o --output --json"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        validate) flags="-f --file --schema --host -o --output --json"; files=1 ;;
        events) flags="-f --follow --job --after --host -o --output --json"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        deliveries) flags="--state --host -o --output --json"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        replay) flags="--job --host -o --output --json"; : ;;
        verify) flags="--key-file -H --header --tolerance --any-age --host -o --output --json"; files=1 ;;
        listen) flags="--port --bind --key-file --status -n --count --host -o --output --json"; : ;;
        daemon) flags="--system -f --follow --tail --host -o --output --json"; words="status install start stop restart reload logs uninstall" ;;
        doctor) flags="--host -o --output --json"; : ;;
        completion) flags="--host -o --output --json"; words="bash zsh fish" ;;
        version) flags="--client --host -o --output --json"; : ;;
    esac
    if [[ "$place" == value ]]; then
        return
    elif [[ "$cur" == -* ]]; then
        _jobctl_offer "$flags"
    elif [[ -n "$place" && "${typed[${#typed[@]}-1]}" != -* ]]; then
        _jobctl_images
    elif [[ -n "$group" && "$prev" == "${typed[at]}" ]]; then
        _jobctl_offer "set ls pause resume rm"
    elif [[ -n "$group" ]]; then
        if [[ "$prev" == "${typed[at+1]}" && "$prev" != ls ]]; then _jobctl_offer "$(jobctl group ls -o name 2>/dev/null)"; fi
    elif [[ -n "$copy" && "$prev" == "${typed[at]}" ]]; then
        _jobctl_source
    elif [[ -n "$files$copy" ]]; then
        _jobctl_files
    else
        _jobctl_offer "$words"
    fi
}
complete -F _jobctl jobctl
