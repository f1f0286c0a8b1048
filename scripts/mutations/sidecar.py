"""Mutations of the sidecar and its reports."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "an engine that stops says that the worker has succeeded",
        "sidecar/interrupts.py",
        'ends_run = ends_run or (self._sigterm == "leave" and self.worker_end is None)',
        "pass",
        "tests/unit/sidecar/test_interrupts.py::test_sigterm_of_a_stopping_engine_ends_the_wait_and_says_nothing_of_the_worker",
    ),
    Mutation(
        "an upload does not name its type",
        "sidecar/artifacts/upload.py",
        '            headers={"Content-Type": CONTENT_TYPE},\n',
        "",
        "tests/integration/sidecar/test_http.py::test_every_try_and_every_redirect_names_the_type",
    ),
    Mutation(
        "a glob on a path is one on names",
        "jobd/wire/files/globs.py",
        '    return Glob(re.compile("/".join(map(_pattern, names))), len(names) > 1, folders_alone)',
        '    return Glob(re.compile("/".join(map(_pattern, names))), False, folders_alone)',
        "tests/unit/jobd/wire/files/test_globs.py::test_a_glob_matches_like_a_matcher_that_tries_everything",
    ),
    Mutation(
        "a report with a stray byte is written as no JSON reader takes it",
        "jobd/wire/report.py",
        'return _line(_readable(tree)) if b"\\\\ud" in line else line',
        "return line",
        "tests/unit/jobd/wire/test_report.py::test_a_report_with_surrogates_is_made_readable",
    ),
    Mutation(
        "a report says a name without its escape",
        "sidecar/workspace/paths.py",
        'raise artifact_error(error, shown(path or ".")) from error',
        'raise artifact_error(error, path or ".") from error',
        "tests/unit/sidecar/test_names.py",
    ),
    Mutation(
        "a transfer that was answered early counts as sent",
        "sidecar/transfer/http.py",
        "        if not self._complete or missing:",
        "        if missing:",
        "tests/integration/sidecar/test_answers.py::test_a_success_before_the_end_of_the_upload_does_not_count",
    ),
    Mutation(
        "a transfer counts as sent while it waits on this side",
        "sidecar/transfer/http.py",
        "        if not self._complete or missing:",
        "        if not self._complete:",
        "tests/integration/sidecar/test_answers.py::test_unacknowledged_bytes_count_as_unsent",
    ),
    Mutation(
        "a transfer is not done until its answer's body is",
        "sidecar/transfer/http.py",
        "            except (TimeIsUp, RetryableFailure, HttpFailure):\n                pass",
        "            except ZeroDivisionError:\n                pass",
        "tests/integration/sidecar/test_answers.py::test_an_endless_or_broken_answer_does_not_undo_a_success",
    ),
    Mutation(
        "a transfer of a part counts as the whole",
        "sidecar/artifacts/download.py",
        "        if answer.status != _WHOLE:",
        "        if False:",
        "tests/integration/sidecar/test_answers.py::test_only_a_200_is_the_file",
    ),
    Mutation(
        "a transfer's interim answer counts as the answer",
        "sidecar/transfer/http_connection.py",
        "            if not 100 <= status < 200 or status == _SWITCHING_PROTOCOLS:",
        "            if True:",
        "tests/integration/sidecar/test_answers.py::test_interim_answers_are_skipped",
    ),
)
