"""`replaying.Courier`: what one reply means for the runs that are sent again by hand."""

from dataclasses import replace

from support.delivery import ManualClock, ScriptedTransport
from support.spools import record, will

from otel_langsmith.delivery.records import Record
from otel_langsmith.replaying import Courier
from otel_langsmith.settings import resolve
from otel_langsmith.wire.reply import Reply


def fates(records: list[Record], *replies: int) -> list[tuple[bool, bool]]:
    """Of each whether it is settled, and whether it is refused for good."""
    transport = ScriptedTransport([Reply(status) for status in replies], ManualClock())
    settings, _ = resolve({"endpoint": "http://langsmith.test", "api_key": "k"}, {})
    sent = Courier(settings, transport).send(records)
    return [(fate.settled, fate.refused) for fate in sent]


def test_a_patch_of_a_run_that_is_not_there_keeps_no_other_from_being_sent() -> None:
    alone = [replace(one, alone=True) for one in (will(1), record(2))]
    assert fates(alone, 404, 202) == [(False, True), (True, False)]


def test_an_endpoint_that_is_not_there_is_no_fault_of_the_runs() -> None:
    assert fates([record(1), record(2)], 404, 202) == [(False, False)] * 2
