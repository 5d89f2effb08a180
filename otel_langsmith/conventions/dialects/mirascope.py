"""``mirascope.*``: Mirascope's traced functions and model calls.

A model call has ``gen_ai.*``, too; the model's name there has provider and API around it.
"""

import re
from typing import Any, Final

from otel_langsmith.conventions import payloads
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.readers import UNREADABLE, as_count, as_text, picked
from otel_langsmith.conventions.rows import LATE, LLM_RUNS, Convention, When, attr, spread

_MODEL: Final = re.compile(r"\w+/(?P<model>[^/]+?)(?::completions|:responses)?")


def model(value: Any) -> Any:
    """The model in ``openai/gpt-4o:responses``; another name as it is."""
    found = _MODEL.fullmatch(value) if isinstance(value, str) else None
    return found["model"] if found else as_text(value)


def response_messages(value: Any) -> Any:
    """The answer with these parts."""
    found = from_json(value)
    is_parts = isinstance(found, (list, tuple)) and found
    return messages([{"content": found}], "assistant") if is_parts else UNREADABLE


_TOKENS: Final = {
    "usage.input_tokens": ("input_tokens", as_count),
    "usage.output_tokens": ("output_tokens", as_count),
    "usage.total_tokens": ("total_tokens", as_count),
    "usage.input_token_details.cache_read": ("cache_read_tokens", as_count),
    "usage.input_token_details.cache_creation": ("cache_write_tokens", as_count),
    "usage.output_token_details.reasoning": ("reasoning_tokens", as_count),
}
_OWN: Final = When(scope=("mirascope.llm",), turn="early")

MIRASCOPE: Final = Convention(
    name="mirascope",
    spec="mirascope 2.8.2, mirascope/ops/_internal",
    rows=(
        attr("model.request", "gen_ai.request.model", via=model, when=_OWN),
        attr("model.request", "mirascope.response.model_id", via=model),
        attr("provider", "mirascope.response.provider_id"),
        attr("metadata.thread_id", "mirascope.ops.session.id"),
        spread("mirascope.response.usage", via=picked(_TOKENS)),
        attr(
            "inputs.messages",
            "mirascope.response.messages",
            via=payloads.request,
            when=LLM_RUNS,
        ),
        attr("inputs", "mirascope.trace.arg_values", via=payloads.call_arguments, when=LATE),
        attr("inputs", "mirascope.response.messages", when=LATE),
        attr(
            "outputs.messages", "mirascope.response.content", via=response_messages, when=LLM_RUNS
        ),
        attr("outputs", "mirascope.trace.output", when=LATE),
        attr("outputs", "mirascope.response.content", when=LATE),
    ),
)
