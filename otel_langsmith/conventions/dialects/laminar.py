"""``lmnr.*``: what Laminar's SDK adds to every span, and writes of functions decorated with it.

Its instrumentations of models speak OpenTelemetry's dialect beside it.
"""

from typing import Final

from otel_langsmith.conventions import payloads
from otel_langsmith.conventions.dialects.openinference import KINDS
from otel_langsmith.conventions.json import decoded
from otel_langsmith.conventions.readers import as_tags, as_text, in_json, one_of
from otel_langsmith.conventions.rows import EARLY, LATE, Convention, When, attr, prefix, spread

_TYPES: Final = {
    "llm": KINDS["llm"],
    "cached": KINDS["llm"],
    "tool": KINDS["tool"],
    "evaluator": KINDS["evaluator"],
    "human_evaluator": KINDS["evaluator"],
}
"""Of all others it says ``DEFAULT``."""

_PROPERTY: Final = "lmnr.association.properties."
_LLM: Final = When(runs=("llm",))

LAMINAR: Final = Convention(
    name="laminar",
    spec="lmnr 0.8.2, lmnr/opentelemetry_lib/tracing/attributes.py",
    rows=(
        spread("lmnr.span.type", via=one_of(_TYPES), keep=True, when=EARLY),
        attr("metadata.thread_id", f"{_PROPERTY}session_id", via=as_text),
        attr("metadata.user_id", f"{_PROPERTY}user_id", via=as_text),
        attr("tags", f"{_PROPERTY}tags", via=in_json(as_tags)),
        prefix("metadata", f"{_PROPERTY}metadata.", via=decoded),
        attr(
            "inputs.messages", "lmnr.span.input", via=in_json(payloads.request_or_text), when=_LLM
        ),
        attr("inputs", "lmnr.span.input", via=in_json(payloads.content), when=LATE),
        attr(
            "outputs.messages",
            "lmnr.span.output",
            via=in_json(payloads.response_or_text),
            when=_LLM,
        ),
        attr("outputs", "lmnr.span.output", via=in_json(payloads.content), when=LATE),
    ),
)
