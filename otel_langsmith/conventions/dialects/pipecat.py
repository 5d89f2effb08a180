"""Pipecat: the turns of a voice agent, with speech to text, model calls and text to speech.

Models and services are in ``gen_ai.*``, content in names without a prefix.
"""

from typing import Final

from otel_langsmith.conventions.rows import Convention, When, attr

_OWN: Final = When(scope=("pipecat", "pipecat."))
_LATE: Final = When(scope=_OWN.scope, turn="late")
_LLM: Final = When(scope=_OWN.scope, runs=("llm",))

PIPECAT: Final = Convention(
    name="pipecat",
    spec="pipecat-ai 1.14.0, pipecat/utils/tracing/service_attributes.py",
    rows=(
        attr("metadata.thread_id", "conversation.id", when=_OWN),
        attr("first_token_s", "metrics.ttfb", when=_OWN),
        attr("params.stream", "stream", when=_OWN),
        attr("params.tool_choice", "tool_choice", when=_OWN),
        attr("params.tools", "tools", "tools.definitions", when=_OWN),
        attr("inputs.messages", "input", when=_LLM),
        attr("inputs", "input", "text", when=_LATE),
        attr("outputs.messages", "output", "text_output", when=_LLM),
        attr("outputs", "output", "text_output", "transcript", when=_LATE),
    ),
)
