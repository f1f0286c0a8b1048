from jobd.docker.mapping.exec_spec import create_body, start_body
from jobd.jobs.port.model import Command, WindowSize


def test_an_exec_has_what_the_command_asks_for() -> None:
    command = Command(("id", "-u"), stdin=True, environment={"A": "1=2"}, workdir="/tmp", user="7")
    body = create_body(command)
    assert body.pop("DetachKeys") != "", "else the engine reads docker's keys from what a person types"
    assert body == {
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "Cmd": ["id", "-u"],
        "Env": ["A=1=2"],
        "WorkingDir": "/tmp",
        "User": "7",
    }
    assert start_body(command) == {"Detach": False, "Tty": False}


def test_a_terminal_has_one_stream_and_its_size() -> None:
    command = Command(("sh",), stdin=True, tty=True, size=WindowSize(columns=100, rows=40))
    body = create_body(command)
    assert (body["Tty"], body["AttachStderr"], body["ConsoleSize"]) == (True, False, [40, 100])
    assert "WorkingDir" not in body
    assert "User" not in body
    assert start_body(command) == {"Detach": False, "Tty": True, "ConsoleSize": [40, 100]}
