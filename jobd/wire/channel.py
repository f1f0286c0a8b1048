r"""The frames of an attached job and of an exec: binary WebSocket messages of a channel's number and the channel's bytes.

The numbers are those of the Kubernetes protocol `v5.channel.k8s.io`. Constants alone: jobctl's start needs nothing else of the wire.

    client -> jobd   STDIN: bytes   RESIZE: {"columns", "rows"}   CLOSE: b"\\0", the end of standard input   STATUS: an exec's request
    jobd -> client   STDOUT, STDERR: bytes   STATUS: JSON with one of the fields of `jobd.wire.terminal.Status`, none as a sign of life

Source: docs/attach.md; RFC 6455.
"""

PROTOCOL = "v1.channel.jobd"
"""The WebSocket subprotocol."""
STDIN, STDOUT, STDERR, STATUS, RESIZE = range(5)
CLOSE = 255
PIECE_BYTES = 1 << 16
"""The most bytes after the channel's number in one message; an exec's request may have `REQUEST_BYTES`."""
REQUEST_BYTES = 1 << 18
"""Several times a command or a variable of the longest allowed size."""
STOPPING = 1001
"""The WebSocket's close code if jobd stops; the job runs on."""
MAX_SIDE = 1000
"""The most columns or rows of a terminal."""
