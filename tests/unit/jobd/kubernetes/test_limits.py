"""`GET /v1/version` and docs/kubernetes.md tell the same limits."""

import re
from pathlib import Path

from jobd.kubernetes.limits import LIMITS

PAGE = Path(__file__).parents[4] / "docs" / "kubernetes.md"


def test_the_page_has_the_limits_that_the_daemon_tells() -> None:
    text = PAGE.read_text()
    part = text[text.index("## What a Pod does not have") : text.index("## Security")]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", part, re.MULTILINE)
    plain = [(what.replace("`", ""), why.replace("`", "")) for what, why in rows]
    assert [row for row in plain if row[0] not in ("field", "what")] == list(LIMITS.items())
