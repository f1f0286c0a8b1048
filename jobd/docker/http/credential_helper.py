"""Runs a credential helper with a time limit, and discards its stderr, which may hold a secret.

The SDK reads from the user's Docker configuration which helper a registry has.

Source: docker docs, "docker login", "Credential helper protocol".
"""

import shutil
import subprocess
from typing import Any

from docker.credentials import Store, StoreError
from docker.credentials.errors import process_store_error

LIMIT_S = 5.0


class QuietStore(Store):
    """The SDK's store, with a limit of `LIMIT_S` seconds for the program and without its stderr."""

    def __init__(self, helper: str) -> None:
        self.program = f"docker-credential-{helper}"
        self.exe = shutil.which(self.program)

    def _execute(self, subcmd: str, data_input: bytes | None) -> Any:
        if self.exe is None:
            raise StoreError(f"{self.program} is not installed")
        try:
            done = subprocess.run(
                [self.exe, subcmd],
                input=data_input,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=LIMIT_S,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise process_store_error(error, self.program) from None
        except (subprocess.TimeoutExpired, OSError) as error:
            raise StoreError(type(error).__name__) from None
        return done.stdout
