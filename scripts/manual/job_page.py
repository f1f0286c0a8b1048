"""job.5, from the structs of the wire contract and their descriptions."""

from jobctl.job.spec.job_file import LONGEST_BYTES
from jobctl.main import REASONS
from jobd.wire.artifact import KINDS
from jobd.wire.container import Device, Mount, Port, Ulimit
from jobd.wire.flag_names import FLAG_NAMES
from jobd.wire.job import Callback, Dependency, JobSpec, Output
from jobd.wire.validation import limits
from scripts.manual.roff import escaped, line, section, tagged, text, title
from scripts.manual.structs import encoded_names, struct_fields
from scripts.manual.words import (
    ARTIFACT_FIELDS,
    CALLBACK_FIELDS,
    DEPENDENCY_FIELDS,
    DEVICE_FIELDS,
    EARLIER_JOB,
    EXAMPLE,
    GLOBS,
    IN_OUT,
    JOB_FIELDS,
    MOUNT_FIELDS,
    MOUNTS,
    OUTPUT_FIELDS,
    PORT_FIELDS,
    SEVERAL_EXAMPLE,
    SEVERAL_JOBS,
    ULIMIT_FIELDS,
)


def job_page() -> str:
    """Returns job.5."""
    body = title("JOB", 5, "job", "a job file or submission")
    body += section("DESCRIPTION")
    body += text(
        "One mapping, as JSON or YAML. jobctl run -f reads it from a file; over HTTP it is the JSON body of POST /v1/jobs, of at "
        f"most {limits.MAX_BODY_BYTES >> 20} MiB (a file may have {LONGEST_BYTES >> 20} MiB with its comments). Unknown fields "
        "and repeated names are refused. A field that is null counts as absent, and so does an empty command, workspace, key, depends or "
        "subdir. jobctl validate -f names all problems."
    )
    flags = ", ".join(f"{flag} ({name})" for flag, name in FLAG_NAMES.items())
    body += section("UNITS AND OTHER NAMES") + text(
        "In a file, jobctl also accepts amounts with units, as in its flags: memory: 2g, timeoutSeconds: 1h30m (also 2d or 1w). A number "
        "has the unit in FIELDS. jobctl accepts names of flags too: "
        + flags
        + ". A field with names and values may be a list of "
        "NAME=VALUE, callback may be a URL, entrypoint may be a program, an entry of after may be ID, ID:any or ID:failed, and entries of mounts, ports, ulimits, "
        "devices and tmpfs may have the form of the flags; user: me is the caller. The API accepts none of these forms."
    )
    body += section("FIELDS") + struct_fields(JobSpec, JOB_FIELDS)
    body += section("CALLBACK") + struct_fields(Callback, CALLBACK_FIELDS)
    body += section("DEPENDENCIES") + struct_fields(Dependency, DEPENDENCY_FIELDS)
    body += section("OUTPUTS") + struct_fields(Output, OUTPUT_FIELDS)
    body += section("MOUNTS") + struct_fields(Mount, MOUNT_FIELDS) + "".join(text(each) for each in MOUNTS)
    body += section("PORTS") + struct_fields(Port, PORT_FIELDS)
    body += section("LIMITS OF PROCESSES") + struct_fields(Ulimit, ULIMIT_FIELDS)
    body += section("DEVICES") + struct_fields(Device, DEVICE_FIELDS)
    body += section("ARTIFACTS") + text(
        "An artifact runs before the command unless it depends on job, directly or through others. Paths are relative to the "
        "workspace and never leave it. In a path, \\xHH is a byte that is no UTF-8, and \\\\ is a backslash, as in events; a "
        "backslash before any other character is literal."
    )
    assert set(IN_OUT) == set(KINDS), "IN_OUT and the artifact kinds differ"
    for kind, struct in KINDS.items():
        source, out = IN_OUT[kind]
        body += f".SS {escaped(kind)}\n" + tagged("in", source) + (tagged("out", out) if out else "")
        own = {name: ARTIFACT_FIELDS[name] for name in encoded_names(struct) if name not in ("in", "out")}
        body += struct_fields(struct, {**own, "in": "", "out": ""}, leave_out=("in", "out"))
    body += section("SEVERAL JOBS") + "".join(text(each) for each in SEVERAL_JOBS)
    body += ".nf\n" + "".join(line(each) for each in SEVERAL_EXAMPLE.splitlines()) + ".fi\n"
    body += section("FILES OF AN EARLIER JOB") + "".join(text(each) for each in EARLIER_JOB)
    body += section("GLOBS") + "".join(text(each) for each in GLOBS)
    body += section("EXAMPLE") + ".nf\n" + "".join(line(each) for each in EXAMPLE.splitlines()) + ".fi\n"
    reasons = ", ".join(sorted({*REASONS, "exit-code", "start-failed"}))
    body += section("REASONS") + text(f"Why a job did not complete: {reasons}.")
    return body + section("SEE ALSO") + "\\fBjobctl\\fR(1), \\fBjobd\\fR(8)\n"
