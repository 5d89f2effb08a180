"""``honeyhive_*``: HoneyHive's decorators of functions, with inputs and outputs flattened."""

from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions import payloads
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.readers import as_text, one_of
from otel_langsmith.conventions.rows import LATE, Convention, attr, named, prefix

_TYPES: Final = {"model": "llm", "tool": "tool", "chain": "chain"}


def function_result(found: Mapping[str, Any]) -> Any:
    """The result of a function, alone where nothing else is beside it."""
    return payloads.content(found["result"] if found.keys() == {"result"} else found)


HONEYHIVE: Final = Convention(
    name="honeyhive",
    spec="honeyhive 1.7.0, honeyhive/tracer/instrumentation/decorators.py",
    rows=(
        attr("run_type", "honeyhive_event_type", via=one_of(_TYPES), keep=True),
        attr("metadata.thread_id", "honeyhive.session_id", "honeyhive_session_id"),
        attr("metadata.user_id", "honeyhive_user_id"),
        attr("error.message", "honeyhive_error"),
        attr("error.type", "honeyhive_error_type", via=as_text),
        prefix("metadata", "honeyhive_metadata.", via=from_json),
        named("inputs", "honeyhive_inputs.", via=payloads.content, when=LATE),
        named("outputs", "honeyhive_outputs.", via=function_result, when=LATE),
    ),
)
