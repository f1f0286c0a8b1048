"""A sandbox's report: what is read from it, and what two reports must not hide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.sandboxes.network_state import InvalidReport, NetworkState, parse

REPORT = """\
-rw-r--r-- 1 0 0 206 Nov 29 23:52 /etc/hosts
-rw-r--r-- 1 0 0  38 Nov 29 23:52 /etc/resolv.conf
-rw-r--r-- 1 0 0  13 Nov 29 23:52 /etc/hostname
aa11  /etc/hosts
bb22  /etc/resolv.conf
cc33  /etc/hostname
Ip: Forwarding DefaultTTL InDelivers InHdrErrors OutRequests
Ip: 1 64 {received} 0 {sent}
Icmp: InMsgs
Icmp: 0
Ip6InDelivers                   \t{received6}
Ip6OutRequests                  \t0
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:A1B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
{sockets}.
"""
FILES = REPORT[: REPORT.index("Ip:")]
LISTENER = "   1: 00000000:1F90 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 2 1 0 100 0 0 10 0\n"
EMPTY = REPORT.format(received=0, sent=0, received6=0, sockets="")


def report(received: int = 0, sent: int = 0, received6: int = 0, sockets: str = "") -> NetworkState:
    return parse(REPORT.format(received=received, sent=sent, received6=received6, sockets=sockets))


def test_a_report_is_read_whole() -> None:
    state = report(3, 4, 5)
    assert [line.split()[-1] for line in state.files] == 2 * [
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/hostname",
    ]
    assert state.packets == (3, 4, 5, 0)
    assert state.sockets == {("0B00007F:A1B3", "00000000:0000", "0A")}


@pytest.mark.parametrize(
    "other",
    [
        report(received=1),
        report(sent=1),
        report(received6=1),
        report(sockets=LISTENER.format(state="0A")),
        parse(EMPTY.replace(" 206 ", " 207 ")),
        parse(EMPTY.replace("-rw-r--r-- 1 0 0  13", "-rw------- 1 0 0  13")),
        parse(EMPTY.replace("-rw-r--r-- 1 0 0  13", "-rw-r--r--+ 1 0 0  13")),
        parse(EMPTY.replace("aa11", "aa12")),
    ],
)
def test_each_trace_of_a_job_makes_another_state(other: NetworkState) -> None:
    assert other != report()


def test_a_kernel_without_ipv6_reports_its_other_counters() -> None:
    lines = REPORT.format(received=1, sent=2, received6=0, sockets="").splitlines()
    assert parse("\n".join(line for line in lines if not line.startswith("Ip6"))).packets == (1, 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".\n",
        "-rw-r--r-- 1 0 0 206 Nov 29 23:52 /etc/hosts\n.\n",
        FILES + "Ip: InDelivers\nIp: 1\n",
        FILES + "Ip: InDelivers OutRequests\nIp: 1\n",
        FILES + "Ip: InDelivers OutRequests\nIp: one two\n",
    ],
)
def test_a_text_that_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(InvalidReport):
        parse(text)


@given(st.text(max_size=400))
def test_any_text_is_a_state_or_refused(text: str) -> None:
    try:
        state = parse(text)
    except InvalidReport:
        return
    assert state.files


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**32 - 1), st.integers(0, 65535), st.sampled_from(["06", "04", "0A", "01"])
        ),
        max_size=20,
        unique=True,
    )
)
def test_every_socket_is_found(sockets: list[tuple[int, int, str]]) -> None:
    lines = "".join(
        f"{number:4}: {address:08X}:{port:04X} 00000000:0000 {state} 00000000:00000000 0\n"
        for number, (address, port, state) in enumerate(sockets)
    )
    expected = {(f"{address:08X}:{port:04X}", "00000000:0000", state) for address, port, state in sockets}
    assert report(sockets=lines).sockets - report().sockets == expected - report().sockets
