"""A receiver of job events with only the standard library: verifies signatures, drops repeated events, keeps the order.

    WEBHOOK_KEY=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw python examples/receiver.py
    curl --unix-socket "$XDG_RUNTIME_DIR/jobd/jobd.sock" -H 'Content-Type: application/json' \
        -d @examples/backend.json http://localhost/v1/jobs

Accepts single events and batches ("batch": true in the callback). Listens on PORT, default 9000.
"""

import hashlib
import hmac
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = os.environ.get("WEBHOOK_KEY", "")
PORT = int(os.environ.get("PORT", "9000"))
MAX_BODY_BYTES = 4 << 20
BATCH = "application/cloudevents-batch+json"

# A real receiver stores the ids in its database, in the transaction that processes the event.
seen: set[str] = set()


def verified(body: bytes, signature: str) -> bool:
    """Returns whether the body was signed with KEY. The signature covers a whole batch, so verify before decoding."""
    expected = "sha256=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


class Events(BaseHTTPRequestHandler):
    """Handles a POST with one event or a batch. After a 2xx jobd does not send the events again; after another status it does."""

    timeout = 30  # seconds without data from the sender

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        if size > MAX_BODY_BYTES:
            return self.send_error(413)
        body = self.rfile.read(size)
        if not verified(body, self.headers.get("X-Signature-256", "")):
            return self.send_error(401, "the signature does not verify")
        content = json.loads(body)
        batched = self.headers.get_content_type() == BATCH
        for event in content if batched else [content]:
            # Events arrive at least once: an id may repeat, also inside a larger batch.
            if event["id"] not in seen:
                seen.add(event["id"])
                what = event["jobuid"], event["jobsequence"], event["type"]
                print(*what, json.dumps(event["data"]), flush=True)
        self.send_response(204)
        self.end_headers()
        return None


if __name__ == "__main__":
    if not KEY:
        raise SystemExit("WEBHOOK_KEY must contain the callback's key")
    # Containers need not reach this port: jobd itself sends the events.
    ThreadingHTTPServer(("127.0.0.1", PORT), Events).serve_forever()
