"""jobd.8, from jobd's table of settings."""

from jobd.settings.variables import VARIABLES
from scripts.manual.roff import section, tagged, text, title

CHECK = (
    "check all settings and the files that they name as a start would, print each fault with the setting's name and the remedy, and start "
    "nothing. The exit code is 0, or 2 if there is a fault. What a running jobd holds is not checked: the ports, the lock of the state folder."
)
SIGNALS = (
    ("SIGTERM, SIGINT", "jobd ends in order; a second signal skips SHUTDOWN_DRAIN_WAIT. Jobs go on."),
    (
        "SIGHUP",
        (
            "jobd reads its file, its API key and its certificate again and takes over new values of the settings that say so above. It logs the "
            "names of settings that need a restart. A fault in any setting changes nothing. LOG_FILE is opened anew. A jobd whose terminal has "
            "closed ends instead."
        ),
    ),
)
EXIT_CODES = (
    ("0", "asked to end, or --check-config found no fault"),
    ("1", "failed"),
    ("2", "a setting has a fault"),
)
FILES = (
    (
        "~/.config/jobd/jobd.toml, /etc/jobd/jobd.toml",
        "the configuration file of a user's jobd, and of the system service, if it exists",
    ),
    ("~/.config/jobd/environment, /etc/jobd/environment", "variables for the service; a restart reads them"),
)


def jobd_page() -> str:
    """Returns jobd.8."""
    body = title("JOBD", 8, "jobd", "run container jobs, keep their records, send their events")
    body += section("SYNOPSIS") + "\\fBjobd\\fR [\\fIOPTIONS\\fR]\n" + section("DESCRIPTION")
    body += text(
        "Runs in the foreground, accepts jobs over a Unix socket and over TCP on loopback, and runs them as containers of the "
        "engine that DOCKER_HOST or the current docker context names. A flag overrides its variable, a variable overrides the "
        "configuration file. Durations have units: 100ms, 10s, 1h30m."
    )
    body += section("OPTIONS")
    body += tagged("--config FILE", "a TOML file; its keys are the variables' names in lower case.")
    body += tagged("--check-config", CHECK)
    body += section("SETTINGS")
    for variable in VARIABLES:
        names = variable.name + (f", {variable.flag}" if variable.flag else "")
        default = f" Default: {variable.default}." if variable.default else ""
        reloads = " Taken over on SIGHUP." if variable.reloads else ""
        body += tagged(names, f"{variable.help}.{default}{reloads}")
    body += section("SIGNALS")
    body += "".join(tagged(name, meaning) for name, meaning in SIGNALS)
    body += section("EXIT STATUS")
    body += "".join(tagged(code, meaning) for code, meaning in EXIT_CODES)
    body += section("FILES")
    body += "".join(tagged(path, meaning) for path, meaning in FILES)
    return body + section("SEE ALSO") + "\\fBjobctl\\fR(1), \\fBjob\\fR(5)\n"
