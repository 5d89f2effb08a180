"""What holds for any span whatever: each attribute in one place, in any order, hidden if asked.

Any attribute of any dialect, with any value that OpenTelemetry 1.45 allows, on a span of any
instrumentation scope that a table knows.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext
from support.posts import posted
from support.properties import examples
from unit.test_table import ROWS, TABLE, values
from unit.test_table import texts as words

from otel_langsmith.lineage import of_span
from otel_langsmith.redact import REDACTION_FAILED, Guard, Hiding, secrets, texts
from otel_langsmith.run import Run
from otel_langsmith.translate import UNTRANSLATED, translate

KEYS = sorted({key for row in ROWS for key in row.keys if not row.is_family and not row.is_spoken})
FAMILIES = sorted({row.keys[0] for row in ROWS if row.is_family})
CANARY = "the quick canary"
SCOPES = [*sorted({name for row in ROWS for name in row.when.scope}), "my.app", ""]
KINDS = ["LLM", "CHAIN", "TOOL", "RETRIEVER", "EMBEDDING", "PROMPT", None]
EVENTS = sorted({name for row in ROWS for name in row.names} | {"exception", "gen_ai.choice"})

names = st.one_of(
    st.sampled_from(KEYS),
    st.sampled_from(KEYS),
    st.builds(lambda start, rest: start + rest, st.sampled_from(FAMILIES), words),
    st.sampled_from(["thread_id", "OTEL_TRACE_ID", "usage_metadata", "my.own"]),
)
scopes = st.sampled_from(SCOPES)
spans = st.builds(
    lambda said, kind: said | ({"openinference.span.kind": kind} if kind else {}),
    st.dictionaries(names, values, max_size=12),
    st.sampled_from(KINDS),
)
told = st.lists(
    st.tuples(st.sampled_from(EVENTS), st.dictionaries(st.sampled_from(KEYS), values, max_size=3)),
    max_size=3,
)


def run_of(
    scope: str, attributes: Mapping[str, Any], events: list[tuple[str, dict[str, Any]]]
) -> Run:
    span = ReadableSpan(
        name="span",
        context=SpanContext(1, 2, is_remote=False),
        attributes=attributes,
        events=[Event(name, held, 1) for name, held in events],
        start_time=1,
        end_time=2,
        instrumentation_scope=InstrumentationScope(scope),
    )
    return translate(span, of_span(2, 1, None, attributes))


def marked(value: Any) -> Any:
    """The value with the marker in every text, name and JSON of it."""
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        return json.dumps(marked(found)) if isinstance(found, (dict, list)) else value + CANARY
    if isinstance(value, dict):
        kept = ("type", "role", "parts", "content", "name", "messages")
        return {
            name if name in kept else name + CANARY: part
            if name in ("type", "role")
            else marked(part)
            for name, part in value.items()
        }
    return type(value)(map(marked, value)) if isinstance(value, (list, tuple)) else value


def shown(run: Run) -> bytes:
    """All of the run that would be sent, but for its name, which is what a span is called."""
    parts = posted(replace(run, name="a name"))
    return b" ".join(b"%s %s" % (part.name.encode(), part.body) for part in parts)


@given(scopes, spans)
@examples(100)
def test_what_is_gone_was_asked_for(scope: str, attributes: dict[str, Any]) -> None:
    """What no row for this scope wants is among the rest, as the very object it was."""
    rest = TABLE.read(scope, attributes).rest
    assert rest.keys() <= attributes.keys()
    for key, value in attributes.items():
        if key not in rest:
            assert any(row.claims(key) and row.is_for(scope) for row in _takers())
        elif not TABLE.is_content(key, scope):
            assert rest[key] is value


def _takers() -> Iterator[Any]:
    return (row for row in ROWS if not (row.keep or row.is_spoken))


@given(scopes, spans, told, st.randoms())
@examples(100)
def test_the_order_of_attributes_changes_no_run(
    scope: str,
    attributes: dict[str, Any],
    events: list[tuple[str, dict[str, Any]]],
    random: Any,
) -> None:
    shuffled = list(attributes.items())
    random.shuffle(shuffled)
    assert as_sent(run_of(scope, attributes, events)) == as_sent(
        run_of(scope, dict(shuffled), events)
    )


def as_sent(run: Run) -> dict[str, Any]:
    """The parts of a run; in JSON objects the order of members says nothing."""
    return {
        part.name: json.loads(part.body) if "json" in part.content_type else part.body
        for part in posted(run)
    }


@given(scopes, spans, told)
@examples(100)
def test_hidden_content_is_gone_whoever_said_it(
    scope: str, attributes: dict[str, Any], events: list[tuple[str, dict[str, Any]]]
) -> None:
    said = {name: marked(value) for name, value in attributes.items()}
    heard = [(name, marked(held)) for name, held in events]
    run = run_of(scope, said, heard)
    assert UNTRANSLATED not in run.notes
    for hiding in (Hiding(inputs=True, outputs=True), Hiding(True, True, True)):
        assert CANARY.encode() not in shown(Guard(hiding)(run))
    rewritten = Guard(redact=texts(lambda text: text.replace(CANARY, "")))(run)
    assert REDACTION_FAILED in rewritten.notes or CANARY.encode() not in shown(rewritten)
    assert REDACTION_FAILED not in Guard(redact=secrets)(run).notes
