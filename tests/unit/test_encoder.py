"""What goes through the steps of an export together, and how far they run ahead of one another."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

import orjson
import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from support.spans import span

from otel_langsmith.admission import Admission
from otel_langsmith.assembly import Placed
from otel_langsmith.bugs import Bugs
from otel_langsmith.delivery.books import Books
from otel_langsmith.delivery.ledger import Book
from otel_langsmith.delivery.traces import Traces
from otel_langsmith.encoder import Encoder
from otel_langsmith.lineage import of_span
from otel_langsmith.log_events import NOTHING, Joined
from otel_langsmith.portions import BLOCK, BLOCK_BYTES, PORTION_BYTES, portions
from otel_langsmith.settings import resolve
from otel_langsmith.twice import AHEAD
from otel_langsmith.wire.batch import EncodedRun
from otel_langsmith.wire.parts import EXTRA, INPUTS

MESSAGE = '[{"role":"user","parts":[{"type":"text","content":"%s"}]}]'
SETTINGS, _ = resolve({"api_key": "any"}, {})


def called(count: int, characters: int) -> list[Placed]:
    """Model calls with so many characters of content."""
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": MESSAGE % ("x" * characters),
    }
    spans = [span(number, attributes=said) for number in range(1, count + 1)]
    return [
        Placed(made, of_span(number, made.start_time or 0, None, said))
        for number, made in enumerate(spans, 1)
    ]


def admitted(placed: Sequence[Placed], encoder: Encoder) -> Iterator[EncodedRun]:
    """The runs that may be sent, made as they are asked for."""
    books = Books([Book()])
    books.receive(len(placed))
    admission = Admission(lambda: encoder, Traces(10**6), books, Bugs())
    with books.consign(len(placed)) as consignments:
        yield from admission.ends(placed, consignments)


def sizes(placed: list[Placed]) -> list[list[int]]:
    """Of each portion, how many spans its blocks have."""
    return [[len(block) for block in portion] for portion in portions(placed)]


MESSAGE = '[{"role":"user","parts":[{"type":"text","content":"%s"}]}]'


@pytest.mark.parametrize(
    ("characters", "calls"),
    [
        pytest.param(100, AHEAD + BLOCK, id="small"),
        pytest.param(BLOCK_BYTES // 16, 2 * BLOCK, id="large"),
        pytest.param(PORTION_BYTES // 8, 8, id="huge"),
    ],
)
def test_model_calls_wait_for_one_another_within_bounds(characters: int, calls: int) -> None:
    seen: list[ReadableSpan] = []

    def heard(spans: Iterable[ReadableSpan]) -> Iterable[Joined]:
        seen.extend(spans)
        return repeat(NOTHING)

    placed = called(AHEAD + 2 * BLOCK, characters)
    sent = admitted(placed, Encoder(SETTINGS, heard))
    first = next(sent)
    assert len(seen) == calls
    assert [first.run_id, *(run.run_id for run in sent)] == [one.lineage.run_id for one in placed]
    assert len(orjson.loads(first.parts[INPUTS])["messages"][0]["content"][0]["text"]) == characters


def test_a_run_that_gives_way_hides_what_the_other_hides() -> None:
    """Of two calls, one within the other, one is told anew after it was read."""
    outer, inner = called(2, 1_000)
    placed = [outer, inner._replace(lineage=of_span(2, 1, outer.lineage, {}))]
    hidden, _ = resolve({"api_key": "any", "hide_inputs": True}, {})
    sent = [*admitted(placed, Encoder(hidden, lambda _: repeat(NOTHING)))]
    assert sum(b"same_call" in run.parts[EXTRA] for run in sent) == 1
    assert not any(b"xxx" in part for run in sent for part in run.parts.values())


def test_small_spans_go_in_full_blocks() -> None:
    assert sizes(called(2 * BLOCK + 1, 100)) == [[BLOCK, BLOCK, 1]]
    assert sizes([]) == []


@pytest.mark.parametrize("where", ["a text", "a list", "an event"])
def test_a_portion_takes_no_more_memory_wherever_the_content_stands(where: str) -> None:
    content = "x" * (PORTION_BYTES // 4)
    made = span(
        1, attributes={"a text": {"said": content}, "a list": {"said": [content]}}.get(where)
    )
    if where == "an event":
        made = ReadableSpan("span", made.context, events=[Event("said", {"content": content})])
    assert sizes([Placed(made, of_span(1, 0, None, {}))] * 10) == [[1] * 4, [1] * 4, [1] * 2]


def test_a_span_that_cannot_be_weighed_costs_no_other() -> None:
    class Unreadable(ReadableSpan):
        @property
        def events(self) -> tuple[Event, ...]:
            raise LookupError

    assert sizes([Placed(Unreadable("span"), of_span(1, 0, None, {}))] * 3) == [[3]]
