"""What every small store shares: the writer, the reader and the observed time."""

from jobd.store.sqlite.reader import Reader
from jobd.store.sqlite.writer import Writer
from jobd.store.tables.observed_time import ObservedTime

PAGE_BYTES = 4 << 20
"""The most bytes of one page of jobs or events, beside its first entry."""


class Connections:
    """Base of the small stores. Writes go to the one writer thread, reads to the reader threads."""

    def __init__(self, writer: Writer, reader: Reader, observed: ObservedTime) -> None:
        self._writer = writer
        self._reader = reader
        self._observed = observed

    def _age_to_ms(self, age_s: float) -> int:
        """Returns the observed time `age_s` seconds ago, in milliseconds."""
        return self._observed.now_ms() - int(age_s * 1000)
