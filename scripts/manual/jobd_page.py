"""jobd.8, from jobd's table of settings."""

from jobd.settings.variables import VARIABLES
from scripts.manual.roff import section, tagged, text, title


def jobd_page() -> str:
    """Returns jobd.8."""
    body = title("JOBD", 8, "jobd", "run container jobs, keep their records, send their events")
    body += section("SYNOPSIS") + "\\fBjobd\\fR [\\fIOPTIONS\\fR]\n" + section("DESCRIPTION")
    body += text(
        "Runs in the foreground, accepts jobs over a Unix socket and over TCP on loopback, and runs them as containers of the "
        "engine that DOCKER_HOST or the current docker context names. A flag overrides its variable, a variable overrides the "
        "configuration file. Durations have units: 100ms, 10s, 1h30m."
    )
    body += section("SETTINGS")
    for variable in VARIABLES:
        names = variable.name + (f", {variable.flag}" if variable.flag else "")
        default = f" Default: {variable.default}." if variable.default else ""
        body += tagged(names, f"{variable.help}.{default}")
    return body + section("SEE ALSO") + "\\fBjobctl\\fR(1), \\fBjob\\fR(5)\n"
