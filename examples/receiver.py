"""A receiver of job events with nothing but the standard library: checks the signature, drops repeats, keeps the order.

    WEBHOOK_KEY=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw python examples/receiver.py
    curl --unix-socket "$XDG_RUNTIME_DIR/jobd/jobd.sock" -H 'Content-Type: application/json' \
        -d @examples/backend.json http://localhost/v1/jobs

Takes single events and batches ("batch": true in the callback). Listens on PORT, 9000 by default.
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

# A real receiver keeps the ids in its database, in the transaction that acts on the event.
seen: set[str] = set()


def verified(body: bytes, signature: str) -> bool:
    """True where the body was signed with our key. A batch is signed as a whole, so this comes before it is taken apart."""
    expected = "sha256=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


class Events(BaseHTTPRequestHandler):
    """POST takes one event or a batch of them. 2xx says that all of it is ours now; anything else is tried again."""

    timeout = 30  # seconds that a sender may be silent

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
            # Delivered at least once: the same id may come again, also in the middle of a batch that has grown.
            if event["id"] not in seen:
                seen.add(event["id"])
                what = event["jobuid"], event["jobsequence"], event["type"]
                print(*what, json.dumps(event["data"]), flush=True)
        self.send_response(204)
        self.end_headers()
        return None


if __name__ == "__main__":
    if not KEY:
        raise SystemExit("WEBHOOK_KEY must hold the callback's key")
    # A port that containers need not reach: jobd itself sends the events.
    ThreadingHTTPServer(("127.0.0.1", PORT), Events).serve_forever()
