"""The commands of each page in `docs/cli`, in the order in which they run. Pure data."""

from scripts.transcripts.daemon_scenes import DAEMON
from scripts.transcripts.step import Page, Step, hidden

FILES = {
    "words.txt": "pear\napple\nfig\n",
    "job.yaml": "image: busybox\ncommand: [echo, hello]\nmemory: 64m\n",
    "wrong.yaml": "image: busybox\ncommand: [echo, hello]\nmemry: 64m\ncpu: -1\n",
    "broken.yaml": "image: [busybox\n",
    "jobs.yaml": "jobs:\n  first: {image: busybox, command: [echo, one]}\n  second: {image: busybox, command: [echo, two], after: [first]}\n",
    "key": "secret\n",
}
"""The files in the folder of the commands."""

MACHINE = Page(
    "machine",
    "The machine: doctor, version, validate, completion",
    (
        Step(
            "jobctl doctor",
            "Checks the daemon, the engine, the disk and the key, and names remedies.",
            varies=True,
            no_color=True,
            reads=True,
        ),
        Step("jobctl version", varies=True, reads=True),
        Step(
            "jobctl validate -f job.yaml", "A job file that is right, and one with two problems.", reads=True
        ),
        Step('jobctl validate -f wrong.yaml; echo "exit code $?"', reads=True),
        Step("jobctl completion bash | head -3", "The reader of a pipe may leave early.", reads=True),
    ),
)
RUN = Page(
    "run",
    "Running jobs: run, submit",
    (
        Step("jobctl run --name hello busybox echo hello"),
        Step(
            "jobctl run --name sorts --in words.txt=words.txt --out sorted.txt=. --sh 'sort words.txt > sorted.txt' busybox; cat sorted.txt",
            "Local files go in and come out.",
        ),
        Step(
            "jobctl run --name fails --sh 'echo no such table >&2; exit 3' busybox; echo \"exit code $?\"",
            "The exit code is the command's own.",
        ),
        Step(
            "jobctl run --name typo --read resul.txt --sh 'touch result.txt' busybox; echo \"exit code $?\"",
            "A job that fails says why in one sentence: an output that is not there,",
        ),
        Step("jobctl run --name hungry -m 16m --sh 'tail /dev/zero' busybox; echo \"exit code $?\"", "too little memory,"),
        Step("jobctl run --name naer --pull never busybx true; echo \"exit code $?\"", "an image that does not exist."),
        Step("jobctl submit --name long --sh 'echo started; exec sleep 300' busybox", "In the background: prints the id."),
        hidden("jobctl pause"),
        Step("jobctl run --name waits busybox true", "While a job waits, a line says for what.", until="waits for", keys="C-c", instead="jobctl submit --name waits busybox true; jobctl cancel waits"),
        hidden("jobctl resume"),
        Step(
            "jobctl run --name stops --sh \"trap 'exit 0' TERM; echo started; while true; do sleep 0.1; done\" busybox",
            "Ctrl-C cancels the job; a second one kills it.",
            until="started", keys="C-c", at_end=True, instead="jobctl submit --name stops busybox sleep 300; jobctl cancel --grace 0 stops; jobctl wait stops",
        ),
        Step("jobctl run -f jobs.yaml --set both", "A file with several jobs."),
    ),
)  # fmt: skip
JOBS = Page(
    "jobs",
    "Jobs: ls, show, explain, top",
    (
        Step("jobctl ls", no_color=True, reads=True),
        Step("jobctl ls -a --limit 6", no_color=True, reads=True),
        Step("jobctl ls -a -o wide --limit 3", varies=True, reads=True),
        Step("jobctl ls -aq --status failed", "Only ids, for scripts.", reads=True),
        Step("jobctl show sorts", no_color=True, reads=True),
        Step("jobctl explain typo", "Why a job failed, and what helps.", reads=True),
        Step("jobctl explain hungry", reads=True),
        Step("jobctl explain fails", "The last lines of the command's stderr.", reads=True),
        Step("jobctl explain long", reads=True),
        Step("jobctl top", "A live list; q ends it.", until="long", keys="q", varies=True, reads=True),
        Step("jobctl top --once", no_color=True, varies=True, reads=True),
    ),
)
LOGS = Page(
    "logs",
    "Logs and waiting: logs, wait",
    (
        Step("jobctl logs hello", reads=True),
        Step("jobctl logs -t hello", "With times.", reads=True),
        Step(
            "jobctl logs hello fails",
            "Several jobs: each line has its id. stderr goes to stderr.",
            reads=True,
        ),
        Step(
            "jobctl logs -f long",
            "Ctrl-C leaves; the job keeps running.",
            until="started",
            keys="C-c",
            at_end=True,
        ),
        Step(
            'jobctl wait hello fails; echo "exit code $?"',
            "The exit code is that of the first job that did not succeed.",
        ),
        Step(
            'jobctl wait --timeout 1s long; echo "exit code $?"',
            "The line about the job is removed at the end.",
        ),
        Step("jobctl wait long", "A line says what the job does.", until="runs for", keys="C-c"),
    ),
)
INTERACTIVE = Page(
    "interactive",
    "Standard input and commands beside: run -i, attach, exec",
    (
        Step(
            "printf 'b\\na\\n' | jobctl run -i --name piped busybox sort",
            "The command reads what is piped in.",
        ),
        Step("jobctl exec long echo beside", "A command in the container of a running job."),
        Step("jobctl exec long sh -c 'exit 3'; echo \"exit code $?\"", "Its exit code is passed on."),
        Step('jobctl attach hello; echo "exit code $?"', "Only a running job can be attached."),
    ),
)
FILES_PAGE = Page(
    "files",
    "Files: cp, fetch",
    (
        Step("jobctl cp sorts:sorted.txt copy.txt; cat copy.txt"),
        Step("jobctl cp sorts:. - | tar t", "A folder on stdout is a tar."),
        Step('jobctl cp sorts:none .; echo "exit code $?"', reads=True),
        Step(
            "jobctl run -d --name kept --out out.txt=./results/ --sh 'date > out.txt' busybox",
            "Outputs of a job in the background are kept;",
        ),
        hidden("while jobctl ls -q | grep -q kept; do sleep 0.1; done"),
        Step("jobctl fetch kept", "fetch brings them to their places."),
    ),
)
QUEUE = Page(
    "queue",
    "The queue: pause, resume, bump, group",
    (
        Step("jobctl pause", "No job starts."),
        hidden(
            "jobctl submit --name one busybox true; jobctl submit --name two --group gpu busybox true; sleep 0.3"
        ),
        Step("jobctl ls", no_color=True, reads=True),
        Step("jobctl explain one", "What a job waits for.", reads=True),
        Step("jobctl bump two", "Before all others."),
        Step("jobctl group set gpu --max 1"),
        Step("jobctl group ls", no_color=True, reads=True),
        Step("jobctl resume", varies=True),
        hidden("jobctl wait one two"),
        Step("jobctl group rm gpu"),
    ),
)
SETS = Page(
    "sets",
    "Sets: sweep, sets, wait, stats",
    (
        Step("jobctl sweep --set sizes --each n=1..3 --sh 'test {n} -lt 3' busybox; echo \"exit code $?\""),
        Step(
            "jobctl sweep --dry-run --set more --each lr=0.1,0.01 --each seed=1..2 trainer:1 train --lr={lr} --seed={seed}",
            "What a sweep would submit.",
            reads=True,
        ),
        Step("jobctl sets", no_color=True, reads=True),
        Step("jobctl ls -a --set sizes", reads=True),
        Step(
            "jobctl retry --failed sizes",
            "The failed jobs again; the outcome of a set is that of each job's latest retry.",
        ),
        Step('jobctl wait sizes; echo "exit code $?"'),
        Step("jobctl stats --since 1h --by image", varies=True, reads=True),
    ),
)
EVENTS = Page(
    "events",
    "Events: events, deliveries, replay, verify, listen",
    (
        hidden(
            "jobctl run --name called --callback http://127.0.0.1:1/ --callback-key-file key busybox true"
        ),
        hidden(
            "until jobctl deliveries called --state parked -o name | grep -q .; do sleep 0.1; done; sleep 0.5"
        ),
        Step("jobctl events hello", reads=True),
        Step(
            "jobctl deliveries called",
            "The receiver does not answer: jobd has given up.",
            no_color=True,
            reads=True,
        ),
        Step("jobctl explain called", reads=True),
        Step("jobctl replay --job called"),
        Step(
            "jobctl listen --port 0",
            "A receiver to try callbacks; Ctrl-C ends it.",
            until="listening",
            keys="C-c",
            at_end=True,
        ),
        Step(
            "echo '{}' > body.json; jobctl verify --key-file key -H 'X-Signature-256: sha256=00' body.json; echo \"exit code $?\"",
            reads=True,
        ),
    ),
)
ENDING = Page(
    "ending",
    "Ending and repeating: cancel, retry, rm, prune",
    (
        Step("jobctl cancel --grace 0 --reason 'wrong data' long"),
        hidden("jobctl wait long"),
        Step("jobctl explain long", reads=True),
        Step("jobctl retry fails", "Prints the id of the new job."),
        hidden("jobctl wait fails-retry-1"),
        Step("jobctl rm fails-retry-1"),
        Step("jobctl prune --dry-run --older-than 0s --status failed", reads=True),
        Step(
            "jobctl prune --status failed",
            "A question; only y removes.",
            until="[y/N]",
            keys="Enter",
            at_end=True,
        ),
    ),
)
ERRORS = Page(
    "errors",
    "Errors: what happened, where, and what to do",
    (
        Step('jobctl show hllo; echo "exit code $?"', "An id that no job has.", reads=True),
        Step('jobctl show s; echo "exit code $?"', "An ambiguous prefix.", reads=True),
        Step(
            'jobctl rm sor; echo "exit code $?"',
            "Commands that end or remove jobs need whole ids.",
            reads=True,
        ),
        Step(
            'jobctl shwo hello; echo "exit code $?"', "A misspelt command, and a misspelt option.", reads=True
        ),
        Step('jobctl run --memry 1g busybox; echo "exit code $?"', reads=True),
        Step('jobctl show; echo "exit code $?"', reads=True),
        Step(
            'jobctl submit -f broken.yaml; echo "exit code $?"', "Broken YAML, and a wrong field.", reads=True
        ),
        Step('jobctl submit -f wrong.yaml; echo "exit code $?"', reads=True),
        Step(
            'jobctl run --name hello busybox true; echo "exit code $?"', "An id that is in use.", reads=True
        ),
        Step('jobctl --host unix:///tmp/none.sock ls; echo "exit code $?"', "No daemon.", reads=True),
        Step(
            'JOBCTL_API_KEY_FILE=key jobctl --host "$JOBD_URL" ls; echo "exit code $?"',
            "A wrong key.",
            reads=True,
        ),
        Step('jobctl ls --json --status runing; echo "exit code $?"', "Errors for programs.", reads=True),
    ),
)

PAGES = (MACHINE, DAEMON, RUN, JOBS, LOGS, INTERACTIVE, FILES_PAGE, QUEUE, SETS, EVENTS, ENDING, ERRORS)
