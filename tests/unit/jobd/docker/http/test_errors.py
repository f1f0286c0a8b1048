from jobd.docker.http.errors import Refusal, ServerError, message_of, refusal
from jobd.jobs.port.errors import EngineUnavailable, RefusedByEngine


def test_a_client_error_is_a_refusal() -> None:
    error = refusal(409, "taken\n")
    assert isinstance(error, Refusal)
    assert isinstance(error, RefusedByEngine)
    assert (error.status, error.message, str(error)) == (409, "taken", "taken")


def test_a_server_error_is_engine_unavailable() -> None:
    error = refusal(500, "")
    assert isinstance(error, ServerError)
    assert isinstance(error, EngineUnavailable)
    assert "500" in str(error)


def test_the_message_is_found_in_json_and_in_text() -> None:
    assert message_of(b'{"message":"no such image"}') == "no such image"
    assert message_of(b"plain \xff") == "plain �"
