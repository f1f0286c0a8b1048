"""Docker's flags for a job's container, which `run` and `sweep` share. `job/container_flags.py` makes the fields of the spec from them."""

from typing import Annotated

import typer

_Text = str | None
_Texts = list[str] | None

Init = Annotated[
    bool,
    typer.Option(
        "--init", help="Run a small init as process 1, so that signals end the command; the default."
    ),
]
NoInit = Annotated[bool, typer.Option("--no-init", help="Run the command as process 1.")]
Rm = Annotated[
    bool,
    typer.Option("--rm", help="Accepted for docker's sake: jobd removes each container after JOB_RETENTION."),
]
StopSignal = Annotated[
    _Text,
    typer.Option(
        "--stop-signal", metavar="NAME", help="The first signal of a cancel and of the timeout. [TERM]"
    ),
]
StopTimeout = Annotated[
    _Text,
    typer.Option("--stop-timeout", metavar="SECONDS", help="Time between that signal and SIGKILL. [10]"),
]
Volume = Annotated[
    _Texts,
    typer.Option(
        "-v",
        "--volume",
        metavar="HOST:PATH[:ro]",
        help="Mount a file or folder of this machine that you may use yourself; the command then runs as you.",
    ),
]
Mount = Annotated[
    _Texts,
    typer.Option(
        "--mount",
        metavar="OPTIONS",
        help="The same as type=bind,source=HOST,target=PATH[,readonly]; or type=tmpfs,target=PATH[,tmpfs-size=64m].",
    ),
]
Tmpfs = Annotated[
    _Texts,
    typer.Option("--tmpfs", metavar="PATH[:OPTIONS]", help="A folder in memory, for instance /run:size=64m."),
]
ShmSize = Annotated[
    _Text, typer.Option("--shm-size", metavar="AMOUNT", help="Size of /dev/shm with a unit: 1g. [64m]")
]
Hostname = Annotated[_Text, typer.Option("--hostname", metavar="NAME", help="The container's host name.")]
Network = Annotated[
    _Text,
    typer.Option(
        "--network",
        metavar="NAME",
        help="none, bridge, or a network of the engine. [a network without traffic between jobs]",
    ),
]
Publish = Annotated[
    _Texts,
    typer.Option(
        "-p",
        "--publish",
        metavar="[ADDRESS:]HOST:PORT",
        help="Open a port of the job as port HOST of this machine; on 127.0.0.1 unless ADDRESS says otherwise.",
    ),
]
AddHost = Annotated[
    _Texts,
    typer.Option(
        "--add-host", metavar="NAME:ADDRESS", help="An entry of the hosts file; host-gateway is this machine."
    ),
]
Dns = Annotated[_Texts, typer.Option("--dns", metavar="ADDRESS", help="A name server.")]
Ulimit = Annotated[
    _Texts,
    typer.Option(
        "--ulimit", metavar="NAME=SOFT[:HARD]", help="A limit of processes, for instance nofile=1024."
    ),
]
Device = Annotated[
    _Texts,
    typer.Option(
        "--device", metavar="DEVICE[:PATH]", help="A device of this machine, where the daemon allows it."
    ),
]
Platform = Annotated[_Text, typer.Option("--platform", metavar="OS/ARCH", help="The image's platform.")]
Runtime = Annotated[_Text, typer.Option("--runtime", metavar="NAME", help="The engine's runtime.")]
ReadOnly = Annotated[
    bool, typer.Option("--read-only", help="Make everything but the workspace and /tmp read-only.")
]
CapDrop = Annotated[
    _Texts, typer.Option("--cap-drop", metavar="NAME", help="Drop a capability; ALL drops all.")
]
CapAdd = Annotated[
    _Texts, typer.Option("--cap-add", metavar="NAME", help="Add a capability, where the daemon allows it.")
]
