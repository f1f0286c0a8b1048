# bash completion for jobctl. Made by scripts/generate_docs.py.
_jobctl() {
    local cur prev command="" flags="--host --output --json --help" valued="" words="" files="" i
    cur="${COMP_WORDS[COMP_CWORD]}"
    prev="${COMP_WORDS[COMP_CWORD-1]}"
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${COMP_WORDS[i]}" in
        --host|-o|--output) ((i++)) ;;
        -*) ;;
        *) command="${COMP_WORDS[i]}"; break ;;
        esac
    done
    if [[ -z "$command" ]]; then
        case "$prev" in
        -o|--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        --host) COMPREPLY=(); return ;;
        esac
        COMPREPLY=($(compgen -W "run submit ls top show explain logs wait cancel rm prune cp fetch validate events deliveries replay verify listen doctor completion version $flags" -- "$cur"))
        return
    fi
    [[ "$command" == ps ]] && command=ls
    if ((COMP_CWORD > i + 1)); then
        case "$command:$prev" in
        run:-f|run:--file) compopt -o default; COMPREPLY=(); return ;;
        run:--sh) COMPREPLY=(); return ;;
        run:--name) COMPREPLY=(); return ;;
        run:-e|run:--env) COMPREPLY=(); return ;;
        run:--env-file) compopt -o default; COMPREPLY=(); return ;;
        run:--secret) COMPREPLY=(); return ;;
        run:-w|run:--workdir) COMPREPLY=(); return ;;
        run:-m|run:--memory) COMPREPLY=(); return ;;
        run:--cpus) COMPREPLY=(); return ;;
        run:--pids-limit) COMPREPLY=(); return ;;
        run:--timeout) COMPREPLY=(); return ;;
        run:--retries) COMPREPLY=(); return ;;
        run:--retry-on) COMPREPLY=($(compgen -W "exit-code timeout oom-killed lost start-failed image-not-found input-failed refused-by-engine engine-error" -- "$cur")); return ;;
        run:-l|run:--label) COMPREPLY=(); return ;;
        run:--meta) COMPREPLY=(); return ;;
        run:--in) COMPREPLY=(); return ;;
        run:--out) COMPREPLY=(); return ;;
        run:--write) COMPREPLY=(); return ;;
        run:--read) COMPREPLY=(); return ;;
        run:--callback) COMPREPLY=(); return ;;
        run:--callback-key-file) compopt -o default; COMPREPLY=(); return ;;
        run:--callback-events) COMPREPLY=($(compgen -W "start log exit retry artifact complete" -- "$cur")); return ;;
        run:--user) COMPREPLY=(); return ;;
        run:--pull) COMPREPLY=($(compgen -W "missing always never" -- "$cur")); return ;;
        run:--entrypoint) COMPREPLY=(); return ;;
        run:--platform) COMPREPLY=(); return ;;
        run:--runtime) COMPREPLY=(); return ;;
        run:--cap-drop) COMPREPLY=(); return ;;
        run:--cap-add) COMPREPLY=(); return ;;
        run:--host) COMPREPLY=(); return ;;
        run:-o|run:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        submit:-f|submit:--file) compopt -o default; COMPREPLY=(); return ;;
        submit:--sh) COMPREPLY=(); return ;;
        submit:--name) COMPREPLY=(); return ;;
        submit:-e|submit:--env) COMPREPLY=(); return ;;
        submit:--env-file) compopt -o default; COMPREPLY=(); return ;;
        submit:--secret) COMPREPLY=(); return ;;
        submit:-w|submit:--workdir) COMPREPLY=(); return ;;
        submit:-m|submit:--memory) COMPREPLY=(); return ;;
        submit:--cpus) COMPREPLY=(); return ;;
        submit:--pids-limit) COMPREPLY=(); return ;;
        submit:--timeout) COMPREPLY=(); return ;;
        submit:--retries) COMPREPLY=(); return ;;
        submit:--retry-on) COMPREPLY=($(compgen -W "exit-code timeout oom-killed lost start-failed image-not-found input-failed refused-by-engine engine-error" -- "$cur")); return ;;
        submit:-l|submit:--label) COMPREPLY=(); return ;;
        submit:--meta) COMPREPLY=(); return ;;
        submit:--in) COMPREPLY=(); return ;;
        submit:--out) COMPREPLY=(); return ;;
        submit:--write) COMPREPLY=(); return ;;
        submit:--read) COMPREPLY=(); return ;;
        submit:--callback) COMPREPLY=(); return ;;
        submit:--callback-key-file) compopt -o default; COMPREPLY=(); return ;;
        submit:--callback-events) COMPREPLY=($(compgen -W "start log exit retry artifact complete" -- "$cur")); return ;;
        submit:--user) COMPREPLY=(); return ;;
        submit:--pull) COMPREPLY=($(compgen -W "missing always never" -- "$cur")); return ;;
        submit:--entrypoint) COMPREPLY=(); return ;;
        submit:--platform) COMPREPLY=(); return ;;
        submit:--runtime) COMPREPLY=(); return ;;
        submit:--cap-drop) COMPREPLY=(); return ;;
        submit:--cap-add) COMPREPLY=(); return ;;
        submit:--host) COMPREPLY=(); return ;;
        submit:-o|submit:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        ls:--status) COMPREPLY=($(compgen -W "accepted running completed failed cancelled unreadable" -- "$cur")); return ;;
        ls:-l|ls:--label) COMPREPLY=(); return ;;
        ls:--since) COMPREPLY=(); return ;;
        ls:--limit) COMPREPLY=(); return ;;
        ls:--host) COMPREPLY=(); return ;;
        ls:-o|ls:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        top:--interval) COMPREPLY=(); return ;;
        top:--host) COMPREPLY=(); return ;;
        top:-o|top:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        show:--host) COMPREPLY=(); return ;;
        show:-o|show:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        explain:--host) COMPREPLY=(); return ;;
        explain:-o|explain:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        logs:--tail) COMPREPLY=(); return ;;
        logs:--since) COMPREPLY=(); return ;;
        logs:--stream) COMPREPLY=($(compgen -W "stdout stderr" -- "$cur")); return ;;
        logs:--host) COMPREPLY=(); return ;;
        logs:-o|logs:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        wait:--timeout) COMPREPLY=(); return ;;
        wait:--host) COMPREPLY=(); return ;;
        wait:-o|wait:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        cancel:--grace) COMPREPLY=(); return ;;
        cancel:--signal) COMPREPLY=($(compgen -W "TERM INT QUIT HUP USR1 USR2 KILL" -- "$cur")); return ;;
        cancel:--reason) COMPREPLY=(); return ;;
        cancel:--host) COMPREPLY=(); return ;;
        cancel:-o|cancel:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        rm:--host) COMPREPLY=(); return ;;
        rm:-o|rm:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        prune:--older-than) COMPREPLY=(); return ;;
        prune:--status) COMPREPLY=($(compgen -W "completed failed cancelled" -- "$cur")); return ;;
        prune:-l|prune:--label) COMPREPLY=(); return ;;
        prune:--host) COMPREPLY=(); return ;;
        prune:-o|prune:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        cp:--max-size) COMPREPLY=(); return ;;
        cp:--host) COMPREPLY=(); return ;;
        cp:-o|cp:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        fetch:--host) COMPREPLY=(); return ;;
        fetch:-o|fetch:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        validate:-f|validate:--file) compopt -o default; COMPREPLY=(); return ;;
        validate:--host) COMPREPLY=(); return ;;
        validate:-o|validate:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        events:--job) COMPREPLY=($(compgen -W "$(jobctl ls -q -a --limit 200 2>/dev/null) @last" -- "$cur")); return ;;
        events:--after) COMPREPLY=(); return ;;
        events:--host) COMPREPLY=(); return ;;
        events:-o|events:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        deliveries:--state) COMPREPLY=($(compgen -W "pending delivered parked abandoned" -- "$cur")); return ;;
        deliveries:--host) COMPREPLY=(); return ;;
        deliveries:-o|deliveries:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        replay:--job) COMPREPLY=($(compgen -W "$(jobctl ls -q -a --limit 200 2>/dev/null) @last" -- "$cur")); return ;;
        replay:--host) COMPREPLY=(); return ;;
        replay:-o|replay:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        verify:--key-file) compopt -o default; COMPREPLY=(); return ;;
        verify:-H|verify:--header) COMPREPLY=(); return ;;
        verify:--tolerance) COMPREPLY=(); return ;;
        verify:--host) COMPREPLY=(); return ;;
        verify:-o|verify:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        listen:--port) COMPREPLY=(); return ;;
        listen:--bind) COMPREPLY=(); return ;;
        listen:--key-file) compopt -o default; COMPREPLY=(); return ;;
        listen:--status) COMPREPLY=(); return ;;
        listen:-n|listen:--count) COMPREPLY=(); return ;;
        listen:--host) COMPREPLY=(); return ;;
        listen:-o|listen:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        doctor:--host) COMPREPLY=(); return ;;
        doctor:-o|doctor:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        completion:--host) COMPREPLY=(); return ;;
        completion:-o|completion:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        version:--host) COMPREPLY=(); return ;;
        version:-o|version:--output) COMPREPLY=($(compgen -W "table wide json yaml name" -- "$cur")); return ;;
        esac
    fi
    case "$command" in
        run) flags="-f --file -d --detach --sh --name -e --env --env-file --secret -w --workdir -m --memory --cpus --pids-limit --timeout --retries --retry-on -l --label --meta --in --out --write --read --callback --callback-key-file --callback-events --callback-batch --user --pull --entrypoint --platform --runtime --read-only --cap-drop --cap-add --raw --host -o --output --json"; valued="-f|--file|--sh|--name|-e|--env|--env-file|--secret|-w|--workdir|-m|--memory|--cpus|--pids-limit|--timeout|--retries|--retry-on|-l|--label|--meta|--in|--out|--write|--read|--callback|--callback-key-file|--callback-events|--user|--pull|--entrypoint|--platform|--runtime|--cap-drop|--cap-add|--host|-o|--output"; : ;;
        submit) flags="-f --file --sh --name -e --env --env-file --secret -w --workdir -m --memory --cpus --pids-limit --timeout --retries --retry-on -l --label --meta --in --out --write --read --callback --callback-key-file --callback-events --callback-batch --user --pull --entrypoint --platform --runtime --read-only --cap-drop --cap-add --host -o --output --json"; valued="-f|--file|--sh|--name|-e|--env|--env-file|--secret|-w|--workdir|-m|--memory|--cpus|--pids-limit|--timeout|--retries|--retry-on|-l|--label|--meta|--in|--out|--write|--read|--callback|--callback-key-file|--callback-events|--user|--pull|--entrypoint|--platform|--runtime|--cap-drop|--cap-add|--host|-o|--output"; : ;;
        ls) flags="-a --all -q --quiet -w --watch --status -l --label --mine --since --limit --host -o --output --json"; valued="--status|-l|--label|--since|--limit|--host|-o|--output"; : ;;
        top) flags="--once --interval --host -o --output --json"; valued="--interval|--host|-o|--output"; : ;;
        show) flags="--host -o --output --json"; valued="--host|-o|--output"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        explain) flags="--host -o --output --json"; valued="--host|-o|--output"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        logs) flags="-f --follow --tail --since -t --timestamps --stream --raw --host -o --output --json"; valued="--tail|--since|--stream|--host|-o|--output"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        wait) flags="--any --timeout --host -o --output --json"; valued="--timeout|--host|-o|--output"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        cancel) flags="--grace --signal --reason --host -o --output --json"; valued="--grace|--signal|--reason|--host|-o|--output"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        rm) flags="-f --force --host -o --output --json"; valued="--host|-o|--output"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        prune) flags="--older-than --status -l --label --mine --dry-run -f --yes --host -o --output --json"; valued="--older-than|--status|-l|--label|--host|-o|--output"; : ;;
        cp) flags="--max-size --host -o --output --json"; valued="--max-size|--host|-o|--output"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        fetch) flags="--host -o --output --json"; valued="--host|-o|--output"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        validate) flags="-f --file --host -o --output --json"; valued="-f|--file|--host|-o|--output"; files=1 ;;
        events) flags="-f --follow --job --after --host -o --output --json"; valued="--job|--after|--host|-o|--output"; : ;;
        deliveries) flags="--state --host -o --output --json"; valued="--state|--host|-o|--output"; words="$(jobctl ls -q -a --limit 200 2>/dev/null) @last" ;;
        replay) flags="--job --host -o --output --json"; valued="--job|--host|-o|--output"; : ;;
        verify) flags="--key-file -H --header --tolerance --any-age --host -o --output --json"; valued="--key-file|-H|--header|--tolerance|--host|-o|--output"; files=1 ;;
        listen) flags="--port --bind --key-file --status -n --count --host -o --output --json"; valued="--port|--bind|--key-file|--status|-n|--count|--host|-o|--output"; : ;;
        doctor) flags="--host -o --output --json"; valued="--host|-o|--output"; : ;;
        completion) flags="--host -o --output --json"; valued="--host|-o|--output"; words="bash zsh fish" ;;
        version) flags="--client --host -o --output --json"; valued="--host|-o|--output"; : ;;
    esac
    if [[ "$cur" == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$cur"))
    elif [[ -n "$files" ]]; then
        compopt -o default
        COMPREPLY=()
    else
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    fi
}
complete -F _jobctl jobctl
