"""A million files as input and output: jobd refuses them early, with bounded memory, and removes the files that it has created.

`make test` uses the smallest number that is refused, `make faults` a million.
"""

import gzip
import io
import json
import struct
import tarfile
import zlib
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.wire import multipart, streaming

MOST_MEMBERS = 200_000
COUNTS = [
    MOST_MEMBERS + 1,
    pytest.param(
        1_000_000,
        marks=[
            pytest.mark.alone,
            pytest.mark.fault(
                row="Worker",
                injection="a million files, in archives and in the workspace",
                invariant="refused in bounded memory, and all of it goes with the job",
            ),
        ],
    ),
]


def tar_of(count: int) -> bytes:
    """A tar.gz of empty files: ten megabytes for half a gigabyte, where they are a million."""
    header = bytearray(tarfile.TarInfo("0000000").tobuf(tarfile.USTAR_FORMAT))
    zero = sum(header[7:148]) + sum(header[156:]) + 8 * ord(" ")
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as packed:
        chunk = bytearray()
        for number in range(count):
            name = b"%07d" % number
            header[:7] = name
            header[148:156] = b"%06o\0 " % (zero + sum(name))
            chunk += header
            if len(chunk) >= 1 << 20:
                packed.write(chunk)
                chunk.clear()
        packed.write(chunk + b"\0" * 1024)
    return out.getvalue()


def zip_of(count: int) -> bytes:
    """A zip of so many entries, all of them one file's. Half a million are what the directory's limit of 32 MiB takes."""
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, zlib.crc32(b""), 0, 0, 1, 0) + b"x"
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0)
    directory = b"".join(entry + b"%07d" % number for number in range(count))
    end = struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, count & 0xFFFF, count & 0xFFFF, len(directory), len(local), 0
    )
    return local + directory + end


def files_of(**contents: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def unpack(id: str, source: str) -> dict[str, Any]:
    return {"id": id, "type": "unarchive", "in": source, "out": f"out-{id}", "depends": "job"}


@pytest.mark.parametrize("count", COUNTS)
def test_archives_of_a_million_files_are_refused_and_leave_nothing(
    daemon: Daemon,
    docker_client: docker.DockerClient,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
    count: int,
) -> None:
    files = files_of(tar=tar_of(count), zip=zip_of(min(count, 500_000)))
    artifacts = [
        unpack("tar", "tar"),
        unpack("zip", "zip"),
        {"id": "left", "type": "list", "in": ".", "depends": "job"},
    ]
    callback = {"url": receiver.url(f"/{job_id}")}
    spec = {
        "id": job_id,
        "image": worker_image,
        "command": "true",
        "artifacts": artifacts,
        "callback": callback,
    }
    body, headers = multipart(("spec", json.dumps(spec).encode()), ("files", files))
    assert daemon.call("POST", "/v1/jobs", body, headers).status == 202
    view = daemon.ended(job_id, 240)
    assert (view["status"], view["reason"]) == ("failed", "output-failed"), view
    done = {
        event["data"]["artifactId"]: event["data"]
        for event in receiver.complete(f"/{job_id}")
        if event["type"] == "orchestrator.job.artifact"
    }
    for id in ("tar", "zip"):
        assert done[id]["status"] == "failed"
        assert f"more than {MOST_MEMBERS} members" in done[id]["error"]
    assert done["left"]["content"] == ["tar", "zip"]
    sidecar = docker_client.containers.get(f"job-{job_id}-sidecar")
    assert not sidecar.attrs["State"]["OOMKilled"]


@pytest.mark.parametrize("count", COUNTS)
def test_a_folder_of_a_million_files_is_counted_and_removed(
    daemon: Daemon,
    docker_client: docker.DockerClient,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
    count: int,
) -> None:
    artifacts = [
        {"id": "list", "type": "list", "in": "many", "depends": "job"},
        {"id": "all", "type": "list", "in": ".", "depends": "job"},
        {"id": "pack", "type": "archive", "in": "many", "out": "many.tgz", "depends": "job"},
        {"id": "good", "type": "read", "in": "good", "depends": "job"},
    ]
    command = "echo fine > good; while ! [ -e stop ]; do usleep 20000; done"
    callback = {"url": receiver.url(f"/{job_id}")}
    daemon.submit(id=job_id, image=worker_image, command=command, artifacts=artifacts, callback=callback)
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "the worker runs")
    mounts = docker_client.containers.get(f"job-{job_id}-worker").attrs["Mounts"]
    (volume,) = (mount["Name"] for mount in mounts if mount["Destination"] == "/workspace")
    # Not in the job: within its memory limit the kernel needs two minutes for so many files.
    made = docker_client.containers.run(
        worker_image,
        [
            "sh",
            "-c",
            f"mkdir -p /w/many && cd /w/many && seq {count} | xargs touch && touch ../stop && echo made",
        ],
        volumes={volume: {"bind": "/w"}},
        remove=True,
    )
    assert made == b"made\n"
    view = daemon.ended(job_id, 240)
    assert (view["status"], view["reason"]) == ("failed", "output-failed"), view
    done = {
        event["data"]["artifactId"]: event["data"]
        for event in receiver.complete(f"/{job_id}")
        if event["type"] == "orchestrator.job.artifact"
    }
    assert done["good"]["content"] == "fine\n"
    assert {id: done[id]["status"] for id in ("list", "all", "pack")} == dict.fromkeys(
        ("list", "all", "pack"), "failed"
    )
    assert all(len(one.get("error", "")) < 1000 for one in done.values())
    with streaming(daemon, f"/v1/jobs/{job_id}/files?path=many"):
        assert daemon.call("GET", "/readyz").status == 200
    assert not docker_client.containers.get(f"job-{job_id}-sidecar").attrs["State"]["OOMKilled"]
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204

    def gone() -> bool:
        mine: Any = {"name": f"job-{job_id}"}
        return not docker_client.volumes.list(filters=mine)

    until(gone, "the million is gone", 120)
