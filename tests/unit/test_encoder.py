"""How far the encoder reads ahead of what it hands on."""

from collections.abc import Iterator
from itertools import repeat

import orjson
import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from support.spans import span

from otel_langsmith.assembly import Placed
from otel_langsmith.encoder import Encoder
from otel_langsmith.lineage import of_span
from otel_langsmith.log_events import NOTHING
from otel_langsmith.portions import PORTION_BYTES, portions
from otel_langsmith.settings import resolve
from otel_langsmith.twice import AHEAD
from otel_langsmith.wire.parts import INPUTS

MESSAGE = '[{"role":"user","parts":[{"type":"text","content":"%s"}]}]'
CALLS = AHEAD + 100


@pytest.mark.parametrize(
    ("characters", "calls"),
    [
        pytest.param(100, AHEAD + 1, id="small"),
        pytest.param(PORTION_BYTES // 8, 8, id="large"),
        pytest.param(2 * PORTION_BYTES, 1, id="huge"),
    ],
)
def test_model_calls_wait_for_one_another_within_bounds(characters: int, calls: int) -> None:
    read = 0

    def blocks() -> Iterator[list[Placed]]:
        nonlocal read
        text = MESSAGE % ("x" * characters)
        for number in range(1, CALLS):
            said = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": text}
            made = span(number, attributes=said)
            read += 1
            yield [Placed(made, of_span(number, made.start_time or 0, None, said))]

    settings, _ = resolve({"api_key": "any"}, {})
    encoder = Encoder(settings, lambda _: repeat(NOTHING))
    first = next(iter(encoder.read(blocks(), pytest.fail)))
    assert read == calls
    ((run, sent, fault),) = encoder.ends([first], pytest.fail)
    assert fault is None
    assert orjson.loads(sent.parts[INPUTS]) == run.inputs


@pytest.mark.parametrize("where", ["a text", "a list", "an event"])
def test_a_portion_takes_no_more_memory_wherever_the_content_stands(where: str) -> None:
    content = "x" * (PORTION_BYTES // 4)
    made = span(
        1, attributes={"a text": {"said": content}, "a list": {"said": [content]}}.get(where)
    )
    if where == "an event":
        made = ReadableSpan("span", made.context, events=[Event("said", {"content": content})])
    placed = Placed(made, of_span(1, 0, None, {}))
    assert [len([*portion]) for portion in portions([[placed] * 2] * 6)] == [2, 2, 2]


def test_a_span_that_cannot_be_weighed_costs_no_other() -> None:
    class Unreadable(ReadableSpan):
        @property
        def events(self) -> tuple[Event, ...]:
            raise LookupError

    placed = Placed(Unreadable("span"), of_span(1, 0, None, {}))
    assert [len([*portion]) for portion in portions([[placed]] * 3)] == [3]


def test_what_is_read_in_portions_is_all_told_in_order() -> None:
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": MESSAGE % ("x" * (PORTION_BYTES // 4)),
    }
    placed = [
        Placed(made, of_span(number, made.start_time or 0, None, said))
        for number in range(1, 20)
        for made in [span(number, attributes=said)]
    ]
    settings, _ = resolve({"api_key": "any"}, {})
    blocks = [placed[:3], [], placed[3:4], placed[4:]]
    told = Encoder(settings, lambda _: repeat(NOTHING)).read(blocks, pytest.fail)
    assert [run.id for _, run in told] == [one.lineage.run_id for one in placed]
