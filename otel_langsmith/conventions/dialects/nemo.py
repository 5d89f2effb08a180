"""NVIDIA's NeMo Guardrails: requests, rails, actions and model calls.

The operation of a model call is the name of its task, and its content is in events.
"""

from typing import Final

from otel_langsmith.conventions import payloads
from otel_langsmith.conventions.readers import constant
from otel_langsmith.conventions.rows import LATE, LLM_RUNS, Convention, When, attr, event, named

_NAMES: Final = ("nemo_guardrails", "nemo-guardrails", "nemoguardrails")
_OWN: Final = When(scope=_NAMES)
_TASK: Final = When(scope=_NAMES, given=("gen_ai.request.model",), turn="early")

NEMO: Final = Convention(
    name="nemo",
    spec="nemoguardrails 0.24.1, nemoguardrails/tracing/constants.py",
    rows=(
        attr("run_type", "llm.cache.hit", via=constant("llm"), keep=True, when=_TASK),
        attr("name", "rail.name", "action.name", when=_OWN),
        attr("metadata.ls_span_kind", "rail.type", via=constant("guardrail"), keep=True, when=_OWN),
        event("inputs.messages", "gen_ai.content.prompt", "content", when=LLM_RUNS),
        event("outputs.messages", "gen_ai.content.completion", "content", when=LLM_RUNS),
        attr("inputs", "guardrails.request.input", "guardrails.rail.input", when=LATE),
        named("inputs", "action.param.", via=payloads.content, when=_OWN),
        event("inputs", "guardrails.utterance.user.finished", "content", when=LATE),
        event("inputs", "guardrails.user_message", "content", when=LATE),
        attr("outputs", "guardrails.request.output", "guardrails.rail.reason", when=LATE),
        event("outputs", "guardrails.utterance.bot.finished", "content", when=LATE),
        event("outputs", "guardrails.utterance.bot.started", "content", when=LATE),
    ),
)
