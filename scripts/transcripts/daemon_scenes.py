"""The page of `jobctl daemon`: a background process, since no systemd runs for the user of the transcripts. Pure data."""

from scripts.transcripts.step import Page, Step, hidden

_SETTINGS = "~/.config/jobd/jobd.toml"

DAEMON = Page(
    "daemon",
    "jobd on this machine: daemon",
    (
        hidden(
            f"mkdir -p ~/.config/jobd; printf 'port = 0\\nmetrics_port = 0\\nsandbox_pool = \"off\"\\n' > {_SETTINGS}"
        ),
        Step(
            'jobctl daemon status; echo "exit code $?"', "Nothing is installed, and nothing runs.", reads=True
        ),
        Step("jobctl daemon start", "Without an installed service, jobd runs in the background."),
        Step("jobctl daemon status", no_color=True, reads=True),
        Step("jobctl daemon logs --tail 1", varies=True, reads=True),
        hidden(f"printf 'max_queued_jobs = 50\\nmax_cpus = 0\\n' >> {_SETTINGS}"),
        Step('jobctl daemon reload; echo "exit code $?"', "jobd.toml has a fault,"),
        hidden(f"sed -i /max_cpus/d {_SETTINGS}"),
        Step("jobctl daemon reload", "and then has none."),
        Step('jobctl daemon stpo; echo "exit code $?"', reads=True),
        Step("jobctl daemon stop"),
    ),
    {"JOBCTL_HOST": ""},
)
