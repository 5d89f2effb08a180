"""``judgment.*``: Judgeval's SDK, for decorated functions and wrapped model clients.

A model's whole request and response are ``gen_ai.prompt`` and ``gen_ai.completion``.
"""

from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads
from otel_langsmith.conventions.models import parameters
from otel_langsmith.conventions.readers import UNREADABLE, as_count, one_of
from otel_langsmith.conventions.rows import (
    EARLY,
    LATE,
    Convention,
    When,
    attr,
    spread,
    together,
)
from otel_langsmith.conventions.tokens import usage


def input_tokens(found: Mapping[str, Any]) -> Any:
    """All input tokens: it counts those read from the cache, written to it, and others apart."""
    counts = list(map(as_count, found.values()))
    return UNREADABLE if UNREADABLE in counts else sum(counts)


_OWN: Final = When(scope=("judgeval",))

JUDGEVAL: Final = Convention(
    name="judgeval",
    spec="judgeval 1.6.0, judgeval/judgment_attribute_keys.py",
    rows=(
        spread("judgment.span_kind", via=one_of(kinds.OPENINFERENCE), keep=True, when=EARLY),
        attr("metadata.thread_id", "judgment.session_id"),
        attr("metadata.user_id", "judgment.customer_user_id", "judgment.customer_id"),
        attr("agent.name", "judgment.agent_instance_name", keep=True),
        attr("provider", "judgment.llm.provider"),
        attr("model.response", "judgment.llm.model"),
        spread("gen_ai.prompt", via=parameters, keep=True, when=_OWN),
        attr(
            "usage.input_token_details.cache_read",
            "judgment.usage.cache_read_input_tokens",
            keep=True,
        ),
        attr(
            "usage.input_token_details.cache_creation",
            "judgment.usage.cache_creation_input_tokens",
            keep=True,
        ),
        together(
            "usage.input_tokens",
            "judgment.usage.non_cached_input_tokens",
            "judgment.usage.cache_read_input_tokens",
            "judgment.usage.cache_creation_input_tokens",
            via=input_tokens,
        ),
        attr("usage.output_tokens", "judgment.usage.output_tokens"),
        attr("usage.total_cost", "judgment.usage.total_cost_usd"),
        spread("judgment.usage.metadata", via=usage("judgment.usage.metadata")),
        attr("inputs", "judgment.input", via=payloads.call_arguments, when=LATE),
        attr("outputs", "judgment.output", when=LATE),
        # A copy of what is to be judged.
        attr("inputs", "judgment.pending_trace_eval", when=LATE),
    ),
)
