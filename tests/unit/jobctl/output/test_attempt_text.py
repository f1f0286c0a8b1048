"""An attempt of a job in one line."""

from jobctl.output.attempt_text import retry_text


def test_the_note_between_two_attempts_names_the_reason_and_the_delay() -> None:
    data = {"attempt": 1, "reason": "exit-code", "exitCode": 3, "delaySeconds": 2.0, "error": "exited"}
    assert retry_text("a", data) == "a: attempt 1 failed (exit code 3); attempt 2 follows in 2s"
    lost = {
        "attempt": 2,
        "reason": "lost",
        "exitCode": -1,
        "delaySeconds": 4.0,
        "error": "the engine went away",
    }
    assert retry_text("a", lost) == "a: attempt 2 failed (the engine went away); attempt 3 follows in 4s"
