"""Part headers of a multipart body: every response is documented, none is an internal error, and no file remains."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.daemon import Answer, Daemon
from tests.support.wire import BOUNDARY, exchange, head

SPEC = b'{"id":"never-accepted","image":"b","zzz":1}'
"""An invalid spec: its refusal shows that jobd has read the spec."""
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
DOCUMENTED = {400, 413, 415}


def body_of(*parts: tuple[bytes, bytes], boundary: bytes = BOUNDARY.encode()) -> bytes:
    return (
        b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary, top, data) for top, data in parts)
        + b"--%s--\r\n" % boundary
    )


def posted(daemon: Daemon, body: bytes, content_type: str = TYPE) -> Answer:
    length = str(len(body))
    return exchange(
        daemon,
        head("POST", "/v1/jobs", Content_Type=content_type, Content_Length=length, Connection="close") + body,
    )


@pytest.fixture
def blameless(lonely: Daemon) -> Iterator[Daemon]:
    """A refused submission leaves no job, no file, and no error in the log."""
    before = len(lonely.log.read_bytes())
    yield lonely
    assert list((lonely.folder / "state" / "spool").iterdir()) == []
    assert lonely.call("GET", "/v1/jobs/never-accepted").status == 404
    written = lonely.log.read_bytes()[before:].decode()
    for line in written.splitlines():
        assert json.loads(line)["level"] not in ("error", "critical"), line
    assert "Traceback" not in written


def refused(answer: Answer) -> None:
    assert answer.status in DOCUMENTED, (answer.status, answer.body)
    assert answer.headers["Content-Type"] == "application/json"
    error = json.loads(answer.body.decode("utf-8"))
    assert error["error"]
    assert error["code"]


DISPOSITION = b"Content-Disposition: form-data; name="


@pytest.mark.parametrize(
    ("top", "said", "field"),
    [
        (b'Content-Disposition: form-data; name="\xff"', "not UTF-8", None),
        (b'Content-Disposition: form-data; name="sp\xc3"', "not UTF-8", None),
        (b'Content-Disposition: form-data; name="spec"; filename="\xff"', "not UTF-8", None),
        (b'Content-Disposition: form-data; name="spec"\r\nX: \xff', "not UTF-8", None),
        (b'Content-Disposition: form-data; name="spec"\r\nContent-Type: text/plain; charset=\xff', "not UTF-8", None),
        (b"Content-Type: application/json", "Content-Disposition", None),
        (b"Content-Disposition: form-data", "no name", None),
        (b"Content-Disposition: form-data; name", "Content-Disposition", None),
        (b"Content-Disposition: form-data; name=", "Content-Disposition", None),
        (b'Content-Disposition: form-data; name="spec', "Content-Disposition", None),
        (b'Content-Disposition: form-data; name="spec"; name="files"', "Content-Disposition", None),
        (b'Content-Disposition: attachment; name="spec"', "Content-Disposition", None),
        (b"Content-Disposition: ;", "Content-Disposition", None),
        (b"Content-Disposition: form-data; name*=utf-8''spec", "no name", None),
        (b'Content-Disposition: form-data; name="_charset_"', "unexpected part", "_charset_"),
        (b'Content-Disposition: form-data; name=""', "unexpected part", None),
        (b'Content-Disposition: form-data; name="Spec"', "unexpected part", "Spec"),
        (b'Content-Disposition: form-data; name="spec"\r\nContent-Transfer-Encoding: base64', "Content-Transfer-Encoding", "spec"),
        (b'Content-Disposition: form-data; name="spec"\r\nContent-Encoding: gzip', "Content-Encoding", "spec"),
        (b'Content-Disposition: form-data; name="spec"\r\nContent-Type: application/json; charset=utf-16', "UTF-8", "spec"),
        (b'Content-Disposition: form-data; name="spec"\r\nContent-Type: multipart/mixed; boundary=b', "nested", None),
        (b'Content-Disposition: form-data; name="spec"\r\nContent-Type: multipart/mixed', "malformed", None),
        (b'Content-Disposition: form-data; name="spec"\r\nbroken', "malformed", None),
        (b'Content-Disposition: form-data; name="spec"\r\nA: ' + b"x" * 9000, "malformed", None),
        (b'Content-Disposition: form-data; name="spec"' + b"\r\nA: x" * 200, "malformed", None),
    ],
)  # fmt: skip
def test_unexpected_part_headers_are_refused_with_a_text(
    blameless: Daemon, top: bytes, said: str, field: str | None
) -> None:
    answer = posted(blameless, body_of((top, SPEC)))
    refused(answer)
    assert said in answer.json["error"]
    assert answer.json.get("field") == field


@pytest.mark.parametrize(
    "top",
    [
        b'Content-Disposition: form-data; name="spec"',
        b"Content-Disposition: form-data; name=spec",
        b'content-disposition:form-data;name="spec";filename="a;b \\"c\\".json"',
        b'Content-Disposition: form-data; filename="\xc3\xa9"; name="spec"',
        b"Content-Disposition: FORM-DATA; NAME=spec; filename*=utf-8''%C3%A9",
        b'Content-Disposition: form-data; name="spec"\r\nContent-Transfer-Encoding: 8bit',
        b'Content-Disposition: form-data; name="spec"\r\nContent-Transfer-Encoding: binary\r\nContent-Encoding: identity',
        b'Content-Disposition: form-data; name="spec"\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: 1',
    ],
)
def test_part_headers_of_usual_clients_are_accepted(blameless: Daemon, top: bytes) -> None:
    answer = posted(blameless, body_of((top, SPEC)))
    assert (answer.status, answer.json["field"]) == (400, "zzz")


LINES = st.one_of(
    st.binary(max_size=30),
    st.builds(
        lambda name, value: name + b": " + value,
        st.sampled_from(
            [b"Content-Disposition", b"Content-Type", b"Content-Transfer-Encoding", b"Content-Encoding", b"Content-Length", b"X"]
        ),
        st.binary(max_size=30)
        | st.sampled_from([b"form-data", b"multipart/mixed; boundary=b", b"base64", b"gzip", b"-1", b"text/plain; charset=x"]),
    ),
    st.builds(
        lambda key, value: DISPOSITION[:-5] + key + b"=" + value,
        st.sampled_from([b"name", b"name*", b"name*0", b"filename", b"filename*", b"NAME", b""]),
        st.binary(max_size=12)
        | st.binary(max_size=12).map(lambda text: b'"' + text + b'"')
        | st.sampled_from([b'"spec"', b'"files"', b"spec", b"utf-8''spec", b"x''%ff", b'"_charset_"', b'"spec"; name="spec"']),
    ),
)  # fmt: skip
HEADS = st.lists(LINES, max_size=4).map(b"\r\n".join)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(HEADS, st.just(SPEC) | st.binary(max_size=40)), max_size=3))
@example([(b'Content-Disposition: form-data; name="\xff"', SPEC)])
@example([(b'Content-Disposition: form-data; name="_charset_"', b"x" * 40), (DISPOSITION + b"spec", SPEC)])
@example([(b'Content-Disposition: form-data; name="_charset_"', b"\xff"), (DISPOSITION + b"spec", SPEC)])
def test_any_part_headers_get_a_documented_response(
    blameless: Daemon, parts: list[tuple[bytes, bytes]]
) -> None:
    refused(posted(blameless, body_of(*parts)))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40).map(lambda text: f"multipart/form-data{text}")
    | st.sampled_from([TYPE, "multipart/form-data; boundary=", 'multipart/form-data; boundary="', "multipart/form-data"]),
    st.binary(max_size=60) | st.just(body_of((DISPOSITION + b"spec", SPEC))),
)  # fmt: skip
def test_any_content_type_and_body_get_a_documented_response(
    blameless: Daemon, content_type: str, body: bytes
) -> None:
    refused(posted(blameless, body, content_type))


@pytest.mark.parametrize(
    "target", ["/v1/jobs?%FF=1", "/v1/jobs?status=%FF", "/v1/jobs?label=%FF", "/v1/jobs?owner=%FF", "/v1/jobs?prefix=%FF&zzz",
               "/v1/jobs?cursor=%FF", "/v1/jobs/%FF", "/v1/jobs/%FF/logs", "/v1/jobs/%ED%A0%80", "/v1/jobs/x/files?path=%FF", "/v1/events?job=%FF"]
)  # fmt: skip
def test_bytes_that_are_not_utf_8_get_a_documented_response_everywhere(lonely: Daemon, target: str) -> None:
    before = len(lonely.log.read_bytes())
    for named in (target, target.encode().replace(b"%FF", b"\xff").decode("latin-1")):
        answer = exchange(lonely, head("GET", named, Connection="close", X_Any="\xff", Accept="\xff"))
        assert answer.status in (200, 400, 404), (answer.status, answer.body)
    assert b"request failed" not in lonely.log.read_bytes()[before:]


def test_a_header_that_is_not_utf_8_causes_no_error(lonely: Daemon) -> None:
    for name in ("Idempotency_Key", "Accept", "Last_Event_ID", "Authorization", "X_API_Key", "Content_Encoding", "User_Agent"):  # fmt: skip
        for method, path in (
            ("GET", "/v1/events"),
            ("GET", "/v1/jobs"),
            ("POST", "/v1/jobs"),
            ("POST", "/v1/jobs/x/cancel"),
        ):
            headers = {name: "\xff\xfe", "Connection": "close", "Content_Length": "0"}
            answer = exchange(lonely, head(method, path, **headers))
            assert answer.status < 500, (name, path, answer.status, answer.body)
