"""jobd that says how many garbage collections the recovery of its jobs took.

    JOBD_COLLECTION_COUNT=file python -m tests.support.instrumented.collection_count [flags of jobd]

The number is in the file once jobd has recovered its jobs.
"""

import gc
import os
from pathlib import Path
from typing import Any

from jobd.__main__ import main
from jobd.process import serve
from jobd.process.recovery import recover


async def _counted(*args: Any) -> None:
    count = 0

    def collected(phase: str, _: dict[str, int]) -> None:
        nonlocal count
        count += phase == "start"

    gc.callbacks.append(collected)
    await recover(*args)
    gc.callbacks.remove(collected)
    Path(os.environ["JOBD_COLLECTION_COUNT"]).write_text(str(count))


if __name__ == "__main__":
    setattr(serve, "recover", _counted)  # noqa: B010 - mypy knows a function
    main()
