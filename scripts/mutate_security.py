"""Shows that the security tests can fail: takes away one defence at a time and expects its test to be red.

    python -m scripts.mutate_security [WORD]      only mutations whose name holds WORD; --list names them all

Works on a copy of the tree with a sidecar image of its own, so that neither this tree nor the shared image changes. Needs the engine,
takes minutes, is not part of CI. A mutation that no longer fits the code is an error: the list is kept with the code.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 240
IMAGE = "job-sidecar-mutant:latest"
SECURITY = "tests/security"


@dataclass(frozen=True, slots=True)
class Mutation:
    """`old` stands once in `file`; with `new` in its place `test` must fail. `row`: of the fault matrix, or the feature."""

    row: str
    name: str
    file: str
    old: str
    new: str
    test: str


W, C, I, S = "worker", "client", "input", "secrets"  # noqa: E741
MUTATIONS = (
    Mutation(W, "links are followed by openat2", "sidecar/openat2.py",
             "resolve=_RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS", "resolve=0",
             f"{SECURITY}/test_worker.py::test_outputs_that_are_links_give_nothing_away"),
    Mutation(W, "any kind of file is opened as an output", "sidecar/paths.py",
             "if not stat.S_ISREG(mode):\n            os.close(fd)", "if False:\n            os.close(fd)",
             f"{SECURITY}/test_worker.py::test_what_is_no_file_is_no_output"),
    Mutation(W, "the beginning of a file passes for all of it", "sidecar/artifacts/read.py",
             "if len(raw) > caps.content_bytes:", "raw = raw[:100]\n    if False:",
             f"{SECURITY}/test_worker.py::test_a_sparse_terabyte_is_refused_and_fills_nothing"),
    Mutation(W, "any number of files is listed", "sidecar/artifacts/list.py",
             "if len(found) > most:", "if False:",
             f"{SECURITY}/test_worker.py::test_very_many_files_are_counted_not_hoarded"),
    Mutation(W, "any number of files in a folder is held", "sidecar/paths.py",
             "if len(found) >= at_most:", "if False:",
             f"{SECURITY}/test_million.py::test_a_folder_of_a_million_files_is_counted_not_hoarded_and_goes"),
    Mutation(W, "no limit of processes", "jobd/docker/spec.py",
             '        "PidsLimit": spec.pids_limit,\n', "",
             f"{SECURITY}/test_worker.py::test_a_fork_bomb_stays_within_its_limit_and_ends_with_its_job"),
    Mutation(W, "a listener on the bridge", "jobd/variables.py",
             'Variable("METRICS_HOST", "127.0.0.1"', 'Variable("METRICS_HOST", "172.17.0.1"',
             f"{SECURITY}/test_worker.py::test_a_job_does_not_reach_the_daemon_the_engine_or_another_job"),
    Mutation(W, "jobs reach each other", "jobd/docker/spec.py",
             '"com.docker.network.bridge.enable_icc": "false"', '"com.docker.network.bridge.enable_icc": "true"',
             f"{SECURITY}/test_worker.py::test_a_job_does_not_reach_the_daemon_the_engine_or_another_job"),
    Mutation(W, "the image's content is copied into the workspace", "jobd/docker/spec.py",
             '"NoCopy": True,\n            "Labels": volume_labels(order.ref, settings.instance, making),\n        },\n    }\n\n\ndef _secrets',
             '"NoCopy": False,\n            "Labels": volume_labels(order.ref, settings.instance, making),\n        },\n    }\n\n\ndef _secrets',
             f"{SECURITY}/test_worker.py::test_an_image_cannot_plant_links_in_the_workspace"),
    Mutation(W, "raw sockets", "jobd/docker/spec.py",
             '{*({"NET_RAW"} - set(spec.cap_add)), *spec.cap_drop}', "{*spec.cap_drop}",
             "tests/integration/docker/test_confinement.py::test_a_worker_gains_no_privileges_and_opens_no_raw_sockets"),
    Mutation(W, "new privileges", "jobd/docker/spec.py",
             '_NO_NEW_PRIVILEGES = ["no-new-privileges"]', "_NO_NEW_PRIVILEGES: list[str] = []",
             "tests/integration/docker/test_confinement.py::test_a_worker_gains_no_privileges_and_opens_no_raw_sockets"),
    Mutation(W, "the log has no cap", "jobd/app.py",
             "        log_max_bytes=config.log_max_bytes,", "        log_max_bytes=1 << 40,",
             f"{SECURITY}/test_worker.py::test_a_line_of_a_hundred_megabytes_costs_little_memory"),
    Mutation(W, "a read-only root that is none", "jobd/docker/spec.py",
             'host["ReadonlyRootfs"] = True', 'host["ReadonlyRootfs"] = False',
             f"{SECURITY}/test_worker_options.py::test_a_read_only_worker_writes_to_its_workspace_and_tmp_alone"),
    Mutation(W, "capabilities for everybody", "jobd/jobs/intake.py",
             "if spec.cap_add and not self._limits.allow_cap_add:", "if False:",
             f"{SECURITY}/test_worker_options.py::test_capabilities_are_given_only_where_the_operator_says_so"),
    Mutation(W, "a workspace that hides the sidecar", "jobd/docker/spec.py",
             "_workspace(order, settings, making, SIDECAR_WORKSPACE)", "_workspace(order, settings, making, order.spec.workspace)",
             f"{SECURITY}/test_worker_options.py::test_a_workspace_hides_nothing_from_the_sidecar"),
    Mutation(C, "web pages are let in", "jobd/api/middleware.py",
             'if "Origin" in request.headers or _asked_by_a_page(request):', "if _asked_by_a_page(request):",
             "tests/integration/api/test_door.py::test_a_web_page_is_refused_and_told_nothing"),
    Mutation(C, "images and frames of web pages are let in", "jobd/api/middleware.py",
             'if "Origin" in request.headers or _asked_by_a_page(request):', 'if "Origin" in request.headers:',
             f"{SECURITY}/test_client.py::test_what_a_page_loads_without_an_origin_is_refused_by_what_the_browser_says"),
    Mutation(C, "any Host will do", "jobd/api/middleware.py",
             "if name.lower() not in door.hosts and", "if False and",
             "tests/integration/api/test_door.py::test_a_foreign_host_is_refused"),
    Mutation(C, "any Host will do, in a browser", "jobd/api/middleware.py",
             "if name.lower() not in door.hosts and", "if False and",
             f"{SECURITY}/test_browser.py::test_a_page_that_has_the_daemons_own_name_and_port_reads_nothing_either"),
    Mutation(C, "no key is asked for", "jobd/api/middleware.py",
             "if not hmac.compare_digest(given.encode(), door.api_key.encode()):", "if False:",
             "tests/integration/api/test_door.py::test_without_the_key_only_health_is_open"),
    Mutation(C, "any content type will do", "jobd/api/body.py",
             "if not says_json and (request.content_length or not optional):\n        raise _not_json()\n    content = await read_bytes(request)\n    if content and not says_json:",
             "content = await read_bytes(request)\n    if False:",
             "tests/integration/api/test_submit.py::test_a_body_that_does_not_say_it_is_json_is_refused"),
    Mutation(C, "a body may take for ever", "jobd/api/body.py",
             "async with asyncio.timeout(READ_LIMIT_S):", "async with asyncio.timeout(None):",
             f"{SECURITY}/test_client.py::test_a_body_that_drips_is_cut_off"),
    Mutation(C, "a head may take for ever", "jobd/listeners.py",
             "keepalive_timeout=HEAD_LIMIT_S,", "keepalive_timeout=3600,",
             f"{SECURITY}/test_listeners.py::test_a_head_that_drips_or_never_comes_ends_its_connection"),
    Mutation(C, "any number of connections", "jobd/listeners.py",
             "if self._site.open >= self._site.most:", "if False:",
             f"{SECURITY}/test_listeners.py::test_a_listener_keeps_so_many_and_no_more_until_one_leaves"),
    Mutation(C, "metrics for web pages", "jobd/app.py",
             "web.Application(middlewares=[answering_errors, guarding(door)])\n    api.router.add_get(\"/metrics\"",
             "web.Application()\n    api.router.add_get(\"/metrics\"",
             f"{SECURITY}/test_listeners.py::test_the_metrics_are_not_for_web_pages"),
    Mutation(C, "a socket for everybody", "jobd/listeners.py",
             "before = os.umask(0o177)", "before = os.umask(0)",
             f"{SECURITY}/test_client.py::test_another_user_does_not_get_through_the_socket_or_to_the_state"),
    Mutation(C, "a key file for everybody", "jobd/state.py",
             "os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)", "os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)",
             f"{SECURITY}/test_client.py::test_another_user_does_not_get_through_the_socket_or_to_the_state"),
    Mutation(C, "beyond loopback without TLS", "jobd/config.py",
             "elif not is_loopback(config.host) and config.tls_cert_file is None:", "elif False:",
             "tests/unit/jobd/test_config.py::test_a_wrong_value_is_refused_by_name_and_never_replaced"),
    Mutation(C, "a TLS key that everybody can read", "jobd/tls.py",
             "if stat.S_IMODE(mode) & 0o007:", "if False:",
             f"{SECURITY}/test_tls.py::test_what_cannot_be_served_safely_is_not_served"),
    Mutation(C, "certificates are not checked by jobctl", "jobctl/connection.py",
             "context = ssl.create_default_context(cafile=target.ca_file)", "context = ssl._create_unverified_context()",
             f"{SECURITY}/test_tls.py::test_jobctl_checks_the_certificate_against_the_authority_it_was_given"),
    Mutation(I, "an upload may leave the workspace", "jobd/docker/files.py",
             'if ".." in parts:\n        raise RefusedFiles', "if False:\n        raise RefusedFiles",
             f"{SECURITY}/test_input.py::test_a_hostile_upload_fails_its_job_before_it_runs"),
    Mutation(I, "an upload may go through its own links", "jobd/docker/files.py",
             'if (parent := "/".join(parts[:depth])) in links:', 'if (parent := "/".join(parts[:depth])) in ():',
             f"{SECURITY}/test_input.py::test_a_hostile_upload_fails_its_job_before_it_runs"),
    Mutation(I, "an upload's sizes are believed", "jobd/docker/files.py",
             " and member.size >= 0:", ":",
             "tests/unit/jobd/docker/test_files.py::test_a_size_below_zero_reads_nothing"),
    Mutation(I, "an upload's times are believed", "jobd/docker/files.py",
             "int(mtime) if 0 <= mtime < _LATEST_S else 0", "mtime",
             f"{SECURITY}/test_input.py::test_an_odd_upload_ends_its_job_one_way_or_the_other"),
    Mutation(I, "an upload's headers upon headers", "jobd/docker/files.py",
             "except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:", "except tarfile.TarError as error:",
             f"{SECURITY}/test_input.py::test_a_hostile_upload_fails_its_job_before_it_runs"),
    Mutation(I, "an upload may have any number of members", "jobd/docker/files.py",
             "if members > _MEMBERS_LIMIT:", "if False:",
             "tests/unit/jobd/docker/test_files.py::test_only_so_many_members_are_let_through"),
    Mutation(I, "a bomb unpacks", "sidecar/artifacts/unarchive.py",
             "        if self._bytes < 0:", "        if False:",
             f"{SECURITY}/test_input.py::test_bombs_are_stopped"),
    Mutation(I, "a device comes out of an archive as a file", "sidecar/tar.py",
             "if kind not in _KINDS:", "if False:",
             "tests/unit/sidecar/artifacts/test_unarchive_hostile.py::test_a_hostile_archive_is_refused"),
    Mutation(I, "an archive's links are made as they come", "sidecar/artifacts/unarchive.py",
             "            self._links[place] = member.link\n", "            self._workspace.symlink(self._path(place), member.link)\n",
             "tests/unit/sidecar/artifacts/test_unarchive_hostile.py::test_a_hostile_archive_is_refused"),
    Mutation(I, "an archive's links lead anywhere", "sidecar/artifacts/unarchive.py",
             "            check_symlink(place, member.link)\n", "",
             f"{SECURITY}/test_input.py::test_hostile_archives_are_refused_by_the_sidecar"),
    Mutation(I, "an archive's hard links name anything", "sidecar/artifacts/unarchive.py",
             "            if not known:", "            if False:",
             "tests/unit/sidecar/artifacts/test_unarchive_hostile.py::test_a_hostile_archive_is_refused"),
    Mutation(I, "an archive that was cut is as good as whole", "sidecar/tar.py",
             'raise BadArchive("the archive is cut: it ends within a member")', "return",
             f"{SECURITY}/test_input.py::test_hostile_archives_are_refused_by_the_sidecar"),
    Mutation(I, "an archive's '..' is passed over", "sidecar/member.py",
             'part for part in name.split("/") if part not in ("", "."))', 'part for part in name.split("/") if part not in ("", ".", ".."))',
             f"{SECURITY}/test_input.py::test_hostile_archives_are_refused_by_the_sidecar"),
    Mutation(I, "an archive's absolute paths are taken", "sidecar/member.py",
             'if name.startswith("/"):', "if False:",
             f"{SECURITY}/test_input.py::test_hostile_archives_are_refused_by_the_sidecar"),
    Mutation(I, "an archive may have any number of members", "sidecar/artifacts/unarchive.py",
             "if self._members < 0:", "if False:",
             f"{SECURITY}/test_million.py::test_archives_of_a_million_files_are_refused_and_leave_nothing"),
    Mutation(I, "an archive is unpacked before it is looked through", "sidecar/artifacts/unarchive.py",
             "if wanted or size <= context.caps.unarchive_look_first_bytes:", "if wanted:",
             f"{SECURITY}/test_million.py::test_archives_of_a_million_files_are_refused_and_leave_nothing"),
    Mutation(I, "a zip's entries are all made before they are counted", "sidecar/zip.py",
             "if data.startswith(_ENTRY) and data.count(_ENTRY) > self._most_members:", "if False:",
             f"{SECURITY}/test_million.py::test_archives_of_a_million_files_are_refused_and_leave_nothing"),
    Mutation(I, "artifacts may depend in a circle", "jobd/wire/validate_artifacts.py",
             "if step in chain:", "if False:",
             f"{SECURITY}/test_input.py::test_dependencies_that_cannot_be_are_refused_by_name"),
    Mutation(I, "numbers that readers round", "sidecar/artifacts/read.py",
             "if len(digits) > 20 or not _SMALLEST <= (value := int(digits)) <= _LARGEST:", "if (value := int(digits)) is None:",
             f"{SECURITY}/test_input.py::test_what_a_job_wrote_arrives_as_signed"),
    Mutation(S, "values in the database", "jobd/jobs/intake.py",
             "spec = without_values(submission.spec)", "spec = submission.spec",
             f"{SECURITY}/test_secrets.py::test_a_secret_is_nowhere_else"),
    Mutation(S, "values stay after the end", "jobd/jobs/supervisor.py",
             "                self._around.secrets.remove(self.record.uid)\n", "",
             f"{SECURITY}/test_secrets.py::test_a_secret_is_nowhere_else"),
    Mutation(S, "files that other users can read", "sidecar/secrets.py",
             "MODE = 0o400", "MODE = 0o444",
             f"{SECURITY}/test_secrets.py::test_another_user_of_the_container_reads_nothing"),
    Mutation(S, "files that the worker can change", "jobd/docker/spec.py",
             '"ReadOnly": read_only,', '"ReadOnly": False,',
             f"{SECURITY}/test_secrets.py::test_the_worker_reads_its_secrets_and_cannot_change_them"),
    Mutation(S, "a disk will do", "sidecar/secrets.py",
             "if not is_in_memory(Path(mounts).read_text(), folder):", "if False:",
             "tests/unit/sidecar/test_secrets.py::test_nothing_is_written_to_a_disk"),
    Mutation(S, "a helper's complaints reach the log", "jobd/docker/credential_helper.py",
             "                stderr=subprocess.DEVNULL,\n", "",
             f"{SECURITY}/test_registry.py::test_a_helper_that_fails_gives_no_password_away_and_stops_no_job"),
    Mutation(S, "a helper's words are told", "jobd/docker/sdk.py",
             '"kind": type(error).__name__}', '"kind": str(error)}',
             f"{SECURITY}/test_registry.py::test_a_helper_that_fails_gives_no_password_away_and_stops_no_job"),
    Mutation(S, "a helper may take for ever", "jobd/docker/credential_helper.py",
             "                timeout=LIMIT_S,\n", "",
             f"{SECURITY}/test_registry.py::test_a_helper_that_fails_gives_no_password_away_and_stops_no_job"),
    Mutation(S, "a registry's password is logged", "jobd/docker/pulls.py",
             'headers = {} if credentials is None else {"X-Registry-Auth": credentials}',
             'headers = {} if credentials is None else {"X-Registry-Auth": credentials}\n        params["note"] = credentials or ""\n        __import__("logging").getLogger("jobd").warning("pull %s", params)',
             f"{SECURITY}/test_registry.py::test_a_registrys_password_goes_to_it_and_nowhere_else"),
    Mutation(S, "one password for every registry", "jobd/docker/sdk.py",
             "registry, _ = resolve_repository_name(repository)",
             'registry = next(iter(load_config().cred_helpers or load_config().auths), "")',
             f"{SECURITY}/test_registry.py::test_a_registrys_password_goes_to_it_and_nowhere_else"),
    Mutation(S, "another secret is the same submission", "jobd/jobs/intake.py",
             "digest = self._fingerprints.of(submission.spec)", "digest = self._fingerprints.of(spec)",
             "tests/integration/api/test_submit.py::test_the_same_spec_with_another_secret_is_another_spec"),
    Mutation(S, "a secret can be guessed from its digest", "jobd/jobs/fingerprint.py",
             "if spec.secrets:", "if False:",
             "tests/unit/jobd/jobs/test_fingerprint.py::test_a_secret_cannot_be_tried_out_without_the_key"),
    Mutation(S, "URLs are shown whole", "sidecar/retry.py",
             'return urlunsplit((parts.scheme, (f"[{host}]" if ":" in host else host) + port, parts.path, "", ""))', "return url",
             f"{SECURITY}/test_secrecy.py::test_secrets_of_a_job_are_nowhere_but_where_they_must_be"),
    Mutation(S, "the key goes into every order, and the order into the environment", "jobd/docker/spec.py",
             '"User": "0:0",\n        "Env": [],',
             '"User": "0:0",\n        "Env": [f"KEY={order.spec.callback.key if order.spec.callback else 0}"],',
             f"{SECURITY}/test_secrecy.py::test_secrets_of_a_job_are_nowhere_but_where_they_must_be"),
)  # fmt: skip


def copied(into: Path) -> None:
    """Copies the files of the tree that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, into / name)


def red(mutation: Mutation, tree: Path) -> str:
    """Returns what came of the test without this defence: `red`, or why that is not shown."""
    file = tree / mutation.file
    before = file.read_text()
    if before.count(mutation.old) != 1:
        return f"does not fit: {before.count(mutation.old)} places"
    file.write_text(before.replace(mutation.old, mutation.new))
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "--no-header",
                "-p",
                "no:cacheprovider",
                mutation.test,
            ],
            cwd=tree,
            env={**os.environ, "SIDECAR_IMAGE": IMAGE, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return "no end"
    finally:
        file.write_text(before)
    if done.returncode == 1 and " failed" in done.stdout:
        return "red"
    return "GREEN" if done.returncode == 0 else f"pytest ended with {done.returncode}: {done.stdout[-300:]}"


def main() -> int:
    words = sys.argv[1:]
    if words == ["--list"]:
        for mutation in MUTATIONS:
            print(f"{mutation.row:8} {mutation.name}: {mutation.test}")
        return 0
    chosen = [m for m in MUTATIONS if not words or words[0] in f"{m.row} {m.name}"]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="jobd-mutants-") as folder:
        tree = Path(folder)
        copied(tree)
        for mutation in chosen:
            began = time.monotonic()
            result = red(mutation, tree)
            wrong += result != "red"
            print(
                f"{mutation.row:8} {mutation.name:62} {result} ({time.monotonic() - began:.0f} s)", flush=True
            )
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True, check=False)
    print(f"{len(chosen) - wrong} of {len(chosen)} defences are missed when they are gone")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
