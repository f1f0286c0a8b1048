"""The known damaged rows are those of the last complete scan and those found since."""

from jobd.store.tables.jobs.damaged_rows import MAX_KNOWN, DamagedRows


def test_a_complete_scan_removes_the_rows_that_it_has_not_found() -> None:
    rows = DamagedRows()
    rows.add_scanned([3], 10)
    assert (set(rows.known), rows.scanned_up_to) == ({3}, 10)
    rows.add([99])
    rows.add_scanned([12], None)
    assert (set(rows.known), rows.scanned_up_to) == ({3, 12}, 0)
    rows.add_scanned([], None)
    assert rows.known == frozenset()


def test_the_number_of_remembered_rows_is_bounded() -> None:
    rows = DamagedRows()
    rows.add(range(2 * MAX_KNOWN))
    rows.add_scanned(range(2 * MAX_KNOWN), 1)
    rows.add_scanned(range(2 * MAX_KNOWN), None)
    assert len(rows.known) <= 2 * MAX_KNOWN
