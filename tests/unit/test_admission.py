"""`admission`: what is wrong with one span of a block costs no other, and each is accounted for."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from support.spans import span

from otel_langsmith.admission import Admission
from otel_langsmith.assembly import Assembly, Bounds
from otel_langsmith.bugs import Bugs
from otel_langsmith.delivery.books import Books
from otel_langsmith.delivery.ledger import Book, Ledger
from otel_langsmith.delivery.traces import Traces
from otel_langsmith.encoder import Encoder
from otel_langsmith.lineage import Lineage
from otel_langsmith.log_events import NOTHING, Joined
from otel_langsmith.run import Run
from otel_langsmith.settings import resolve


def admitted(
    spans: Sequence[ReadableSpan], encoder: Encoder, most: int = 100
) -> tuple[int, Ledger]:
    """How many runs may be sent, and what became of the spans."""
    placed = Assembly(Bounds(1000, 10**8, 60.0)).add(spans, 0.0)
    book = Book()
    admission = Admission(lambda: encoder, Traces(most), Books([book]), Bugs())
    book.receive(len(placed))
    with Books([book]).consign(len(placed)) as consignments:
        sent = [*admission.ends(placed, consignments)]
        consignments.pass_on(len(sent))
    return len({run.run_id for run in sent}), book.read()


class Clumsy(Encoder):
    """An encoder with a bug: runs of one name cannot be made fit."""

    def _fit(self, run: Run, lineage: Lineage) -> Run:
        if run.name == "bad":
            raise LookupError
        return super()._fit(run, lineage)


def kept(content: dict[str, Any]) -> dict[str, Any]:
    """A redaction that hides nothing, so that each run is made fit."""
    return content


SETTINGS, _ = resolve({"redact": kept}, {})


def nothing(spans: Iterable[ReadableSpan]) -> Iterable[Joined]:
    return [NOTHING for _ in spans]


def stumbling(spans: Iterable[ReadableSpan]) -> Iterable[Joined]:
    """What joins log records, with a bug."""
    for one in spans:
        if one.name == "bad":
            raise LookupError
        yield NOTHING


@pytest.mark.parametrize("bad", [[], [0], [3, 4, 19], [*range(8, 16)], [*range(20)]], ids=str)
@pytest.mark.parametrize(
    "encoder", [Clumsy(SETTINGS, nothing), Encoder(SETTINGS, stumbling)], ids=["fits", "joins"]
)
def test_a_bug_costs_only_the_spans_that_it_is_about(encoder: Encoder, bad: list[int]) -> None:
    spans = [span(n + 1, name="bad" if n in bad else "good") for n in range(20)]
    sent, ledger = admitted(spans, encoder)
    assert sent == ledger.queued == 20 - len(bad)
    assert ledger.dropped == ({"untranslatable": len(bad)} if bad else {})


def test_a_full_trace_costs_the_runs_beyond_and_no_others() -> None:
    spans = [span(1), *(span(n, 1) for n in range(2, 13)), *(span(n) for n in range(20, 24))]
    sent, ledger = admitted(spans, Encoder(SETTINGS, nothing), most=6)
    assert (sent, ledger.dropped) == (10, {"trace_full": 6})
