"""Who is to blame for lost workers."""

from softmachine.training.workers.losses import MOST_FAILURES, MOST_IN_DOUBT, Losses


def _until_blamed(losses, place, others=()):
    for number in range(1, 100):
        for other in others:
            losses.note([other])
            losses.forgive(other)
        losses.note([place])
        if losses.is_at_fault(place):
            return number
    raise AssertionError("never blamed")


def test_who_alone_ends_workers_is_blamed_soon():
    losses = Losses()
    assert not losses.is_at_fault(7)
    losses.note([1, 2])  # before: of no matter
    assert _until_blamed(losses, 7) == MOST_FAILURES
    losses.forgive(7)
    assert losses.of(7) == 0
    assert _until_blamed(losses, 7) == MOST_FAILURES


def test_while_others_are_lost_it_takes_longer():
    losses = Losses()
    losses.note([7])
    assert _until_blamed(losses, 7, others=[8]) == MOST_IN_DOUBT - 1


def test_members_of_one_unit_are_no_others():
    losses = Losses()
    for _ in range(MOST_FAILURES):
        losses.note([3, 4])
    assert losses.is_at_fault(3)
    assert losses.is_at_fault(4)
