"""What runs jobd, and in which state: the value that the managers return."""

from jobctl.value import Value


class Status(Value):
    """`manager`: systemd-user, systemd-system or process. `state`: in that manager's words. `enabled`: whether jobd starts with the login or
    the machine; `lingers`: whether a user's jobd runs while the user is logged out; None where the question makes no sense.
    """

    manager: str
    running: bool
    state: str
    pid: int | None = None
    since: float | None = None
    unit: str | None = None
    enabled: bool | None = None
    lingers: bool | None = None
    log: str | None = None
