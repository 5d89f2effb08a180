"""How long delivery goes on trying, as a table over a clock of the test's own."""

import pytest

from otel_langsmith.delivery.patience import BREATH_S, LAST_S, Patience

TIMEOUT_S = 10.0


def asked(patience: Patience, now_s: float, *, ending: bool = False) -> float:
    """How many seconds the next delivery gets."""
    return patience.deadline_s(now_s + TIMEOUT_S, now_s, ending=ending) - now_s


def test_while_all_goes_well_each_delivery_has_its_time() -> None:
    patience = Patience()
    for now_s in (0.0, 0.1, 0.2):
        assert asked(patience, now_s, ending=True) == pytest.approx(TIMEOUT_S)
        patience.tried(now_s, in_vain=False)


def test_a_schedule_is_left_alone_whatever_fails() -> None:
    patience = Patience()
    for now_s in (0.0, 20.0, 40.0):
        assert asked(patience, now_s) == pytest.approx(TIMEOUT_S)
        patience.tried(now_s + TIMEOUT_S, in_vain=True)


@pytest.mark.parametrize(("pause_s", "ending"), [(0.01, False), (60.0, True)])
def test_a_drain_in_vain_shares_what_is_left(pause_s: float, ending: bool) -> None:
    patience = Patience()
    patience.tried(100.0, in_vain=True)
    began_s = 100.0 + pause_s
    assert asked(patience, began_s, ending=ending) == pytest.approx(LAST_S)
    patience.tried(began_s + 1.5, in_vain=True)
    assert asked(patience, began_s + 1.5, ending=ending) == pytest.approx(LAST_S - 1.5)
    assert asked(patience, began_s + LAST_S + 0.1, ending=ending) < 0


def test_one_success_restores_patience() -> None:
    patience = Patience()
    patience.tried(100.0, in_vain=True)
    assert asked(patience, 100.1) == pytest.approx(LAST_S)
    patience.tried(100.2, in_vain=False)
    assert asked(patience, 100.3) == pytest.approx(TIMEOUT_S)


def test_a_stream_of_exports_without_a_breath_tries_again_all_the_same() -> None:
    """What had no time is no try, so the breath counts from the last real one."""
    patience = Patience()
    patience.tried(100.0, in_vain=True)
    assert asked(patience, 100.1) > 0
    patience.tried(100.1 + LAST_S, in_vain=True)
    assert asked(patience, 100.2 + LAST_S) < 0
    assert asked(patience, 100.1 + LAST_S + BREATH_S) == pytest.approx(TIMEOUT_S)
