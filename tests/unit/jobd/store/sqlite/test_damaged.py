"""What is known of damaged rows is what the last look at all of them found, and what was found since."""

from jobd.store.sqlite.damaged import MOST_KNOWN, DamagedRows


def test_a_turn_forgets_what_it_did_not_find() -> None:
    rows = DamagedRows()
    rows.looked([3], 10)
    assert (set(rows.known), rows.looked_at) == ({3}, 10)
    rows.add([99])
    rows.looked([12], None)
    assert (set(rows.known), rows.looked_at) == ({3, 12}, 0)
    rows.looked([], None)
    assert rows.known == frozenset()


def test_no_more_is_kept_than_the_bound() -> None:
    rows = DamagedRows()
    rows.add(range(2 * MOST_KNOWN))
    rows.looked(range(2 * MOST_KNOWN), 1)
    rows.looked(range(2 * MOST_KNOWN), None)
    assert len(rows.known) <= 2 * MOST_KNOWN
