"""The values of docker's flags for a container, as flags and as texts of a job file."""

import os
from pathlib import Path
from typing import Any

import pytest

from jobctl.errors import Misuse
from jobctl.job.spec import container_fields as read
from jobctl.job.spec.job_fields import spec_fields
from jobctl.job.spec.plan import Flags, plan
from jobd.wire.validation.job_spec import convert_spec


def planned(*container: str, file: Any = None, **flags: Any) -> Any:
    return plan(Flags(image="i", container=container, **flags), file or {}, {}, "abc").spec


def test_all_flags_together_are_a_valid_spec() -> None:
    spec = planned(
        "no_init=", "stop_signal=int", "stop_timeout=3", "volume=/a:/b:ro", "mount=type=bind,src=/c,dst=/d,readonly",
        "mount=type=tmpfs,target=/e,tmpfs-size=64m,tmpfs-mode=1777", "tmpfs=/run:size=1m", "shm_size=1g", "hostname=h", "network=none",
        "add_host=a:1.2.3.4", "add_host=b=[fd00::1]", "dns=1.1.1.1", "ulimit=nofile=10", "ulimit=core=0:-1", "device=/dev/fuse:/dev/x:rw",
        workdir="/b/sub", user="me",
    )  # fmt: skip
    assert spec == {
        "image": "i", "id": "i-abc", "init": False, "stopSignal": "SIGINT", "stopTimeoutSeconds": 3,
        "mounts": [{"source": "/a", "target": "/b", "readOnly": True}, {"source": "/c", "target": "/d", "readOnly": True}],
        "tmpfs": {"/e": "size=64m,mode=1777", "/run": "size=1m"}, "shmSize": 1024, "hostname": "h", "network": "none",
        "extraHosts": ["a:1.2.3.4", "b:fd00::1"], "dns": ["1.1.1.1"],
        "ulimits": [{"name": "nofile", "soft": 10, "hard": 10}, {"name": "core", "soft": 0, "hard": -1}],
        "devices": [{"source": "/dev/fuse", "target": "/dev/x", "permissions": "rw"}],
        "workingDir": "/b/sub", "user": f"{os.getuid()}:{os.getgid()}",
    }  # fmt: skip
    convert_spec(spec)


def test_a_job_file_has_the_same_forms() -> None:
    fields = spec_fields(
        {
            "image": "i", "volume": ["/a:/b"], "publish": ["8080:80/udp"], "ulimit": ["core=1"], "device": ["/dev/x"], "tmpfs": ["/r:ro", "/s"],
            "shm-size": "1g", "stop-timeout": "1m", "stop-signal": "HUP", "add-host": ["a=1.2.3.4"], "user": "me",
        }
    )  # fmt: skip
    assert fields.problems == []
    assert fields.tree == {
        "image": "i", "mounts": [{"source": "/a", "target": "/b"}], "ports": [{"containerPort": 80, "hostPort": 8080, "protocol": "udp"}],
        "ulimits": [{"name": "core", "soft": 1, "hard": 1}], "devices": [{"source": "/dev/x", "target": "/dev/x"}],
        "tmpfs": {"/r": "ro", "/s": ""}, "shmSize": 1024, "stopTimeoutSeconds": 60, "stopSignal": "SIGHUP", "extraHosts": ["a:1.2.3.4"],
        "user": f"{os.getuid()}:{os.getgid()}",
    }  # fmt: skip


def test_the_forms_of_the_api_are_unchanged() -> None:
    tree = {
        "mounts": [{"source": "/a", "target": "/b"}],
        "tmpfs": {"/r": ""},
        "ports": [{"containerPort": 1, "hostPort": 2}],
        "shmSize": 1,
    }
    assert spec_fields(dict(tree)).tree == tree


def test_flags_come_after_the_file() -> None:
    file = {
        "mounts": [{"source": "/a", "target": "/b"}],
        "tmpfs": {"/r": "ro"},
        "init": False,
        "dns": ["1.1.1.1"],
    }
    spec = planned("volume=/c:/d", "tmpfs=/s", "tmpfs=/r:exec", "init=", "dns=2.2.2.2", file=file)
    assert [one["target"] for one in spec["mounts"]] == ["/b", "/d"]
    assert (spec["tmpfs"], spec["init"], spec["dns"]) == (
        {"/r": "exec", "/s": ""},
        True,
        ["1.1.1.1", "2.2.2.2"],
    )
    assert file["mounts"] == [{"source": "/a", "target": "/b"}], "the file's own tree is left as it was"


def test_a_relative_path_counts_from_the_working_directory() -> None:
    here = str(Path.cwd())
    for text, path in (
        ("./data", f"{here}/data"),
        (".", f"{here}/."),
        ("../x", f"{here}/../x"),
        ("/x/", "/x/"),
    ):
        assert read.volume(f"{text}:/d") == {"source": path, "target": "/d"}


@pytest.mark.parametrize(
    ("workdir", "expected"),
    [
        ("/src", {"workingDir": "/src"}),
        ("/src/sub/", {"workingDir": "/src/sub"}),
        ("/srcs", {"workspace": "/srcs"}),
        ("/", {"workspace": "/"}),
    ],
)
def test_a_working_directory_in_a_mount_leaves_the_workspace_where_it_is(workdir: str, expected: Any) -> None:
    spec = planned("volume=/a:/src", workdir=workdir)
    assert {name: value for name, value in spec.items() if name.startswith("work")} == expected


def test_a_flag_replaces_the_working_directory_of_a_file() -> None:
    spec = planned(file={"workingDir": "/x"}, workdir="/y")
    assert "workingDir" not in spec
    assert spec["workspace"] == "/y"


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("volume=data:/d", "jobd has no named volumes"),
        ("volume=/d", "must be HOST:PATH"),
        ("volume=:/d", "must be HOST:PATH"),
        ("volume=/a:/d:Z", "SELinux"),
        ("volume=/a:/d:rshared", "the mode 'rshared' cannot be had"),
        ("mount=source=/a,target=/b", "type=bind"),
        ("mount=type=volume,source=a,target=/b", "jobd has no named volumes"),
        ("mount=type=npipe,source=a,target=/b", "the type 'npipe' cannot be had"),
        ("mount=type=bind,target=/b", "needs source=PATH"),
        ("mount=type=bind,source=/a", "needs target=PATH"),
        ("mount=type=bind,source=/a,target=/b,bind-propagation=shared", "do not propagate"),
        ("mount=type=bind,source=/a,target=/b,volume-nocopy=1", "'volume-nocopy' cannot be had"),
        ("publish=80", "needs a port of this machine too: -p 8080:80"),
        ("publish=8000-8010:8000-8010", "give each port alone"),
        ("publish=x:80", "must be HOST:CONTAINER"),
        ("ulimit=nofile", "must be NAME=SOFT"),
        ("device=/dev/x:/dev/y:rw:z", "must be DEVICE"),
        ("stop_signal=STOP", "is not one of TERM"),
        ("stop_signal=19", "is not one of TERM"),
        ("stop_timeout=-1", "without a limit"),
        ("stop_timeout=0.5", "must be whole seconds"),
        ("shm_size=64", "needs a unit"),
    ],
)
def test_what_cannot_be_had_is_refused_with_what_to_use_instead(flag: str, words: str) -> None:
    with pytest.raises(Misuse) as caught:
        planned(flag)
    assert words in caught.value.message
    assert caught.value.message.startswith(f"--{flag.partition('=')[0].replace('_', '-')}: ")
    assert caught.value.field


def test_init_and_no_init_contradict_each_other() -> None:
    with pytest.raises(Misuse, match="contradict"):
        planned("init=", "no_init=")


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("8080:80", {"hostPort": 8080, "containerPort": 80}),
        (
            "0.0.0.0:8080:80/tcp",
            {"hostPort": 8080, "containerPort": 80, "hostIp": "0.0.0.0", "protocol": "tcp"},
        ),
        ("[::1]:8080:80", {"hostPort": 8080, "containerPort": 80, "hostIp": "::1"}),
    ],
)
def test_a_port(text: str, port: Any) -> None:
    assert read.port(text) == port


@pytest.mark.parametrize(
    ("text", "name"), [("15", "SIGTERM"), ("9", "SIGKILL"), ("SIGUSR1", "SIGUSR1"), ("quit", "SIGQUIT")]
)
def test_a_signal(text: str, name: str) -> None:
    assert read.stop_signal(text) == name
