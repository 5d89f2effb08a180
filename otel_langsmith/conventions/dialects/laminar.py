"""``lmnr.*``: Laminar's SDK, on every span, and for functions that are decorated with it.

Its instrumentations of models write ``gen_ai.*`` beside it.
"""

from typing import Final

from otel_langsmith.conventions import kinds, payloads
from otel_langsmith.conventions.json import decoded
from otel_langsmith.conventions.readers import as_tags, in_json, one_of
from otel_langsmith.conventions.rows import EARLY, LATE, LLM_RUNS, Convention, attr, prefix, spread

_TYPES: Final = {
    "llm": kinds.LLM,
    "cached": kinds.LLM,
    "tool": kinds.TOOL,
    "evaluator": kinds.EVALUATOR,
    "human_evaluator": kinds.EVALUATOR,
}
"""Any other kind of span is ``DEFAULT``."""

_PROPERTY: Final = "lmnr.association.properties."

LAMINAR: Final = Convention(
    name="laminar",
    spec="lmnr 0.8.2, lmnr/opentelemetry_lib/tracing/attributes.py",
    rows=(
        spread("lmnr.span.type", via=one_of(_TYPES), keep=True, when=EARLY),
        attr("metadata.thread_id", f"{_PROPERTY}session_id"),
        attr("metadata.user_id", f"{_PROPERTY}user_id"),
        attr("tags", f"{_PROPERTY}tags", via=in_json(as_tags)),
        prefix("metadata", f"{_PROPERTY}metadata.", via=decoded),
        attr(
            "inputs.messages",
            "lmnr.span.input",
            via=in_json(payloads.request_or_text),
            when=LLM_RUNS,
        ),
        attr("inputs", "lmnr.span.input", via=in_json(payloads.content), when=LATE),
        attr(
            "outputs.messages",
            "lmnr.span.output",
            via=in_json(payloads.response_or_text),
            when=LLM_RUNS,
        ),
        attr("outputs", "lmnr.span.output", via=in_json(payloads.content), when=LATE),
    ),
)
