"""Kinds of spans → the fields that a run of this kind has, for `spread` rows with `readers.one_of`.

LangSmith has seven types of runs. What a dialect tells beyond that is ``metadata.ls_span_kind``;
``name.from`` is the field that such a run is named by, where a span has it.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

Kind: TypeAlias = Mapping[str, str]

LLM: Final[Kind] = {"run_type": "llm"}
CHAT: Final[Kind] = {"run_type": "llm", "model.type": "chat"}
COMPLETION: Final[Kind] = {"run_type": "llm", "model.type": "llm"}
EMBEDDING: Final[Kind] = {"run_type": "embedding"}
RETRIEVER: Final[Kind] = {"run_type": "retriever"}
RERANKER: Final[Kind] = {"run_type": "retriever", "metadata.ls_span_kind": "reranker"}
TOOL: Final[Kind] = {"run_type": "tool"}
PROMPT: Final[Kind] = {"run_type": "prompt"}
PARSER: Final[Kind] = {"run_type": "parser"}
CHAIN: Final[Kind] = {"run_type": "chain"}
WORKFLOW: Final[Kind] = {"run_type": "chain", "name.from": "workflow.name"}
FUNCTION: Final[Kind] = {"run_type": "chain", "name.from": "function.name"}
AGENT_CALL: Final[Kind] = {"run_type": "chain", "name.from": "agent.name"}
AGENT: Final[Kind] = {"run_type": "chain", "metadata.ls_span_kind": "agent"}
NAMED_AGENT: Final[Kind] = {**AGENT, **AGENT_CALL}
EVALUATOR: Final[Kind] = {"run_type": "chain", "metadata.ls_span_kind": "evaluator"}
EVENT: Final[Kind] = {"run_type": "chain", "metadata.ls_span_kind": "event"}
GUARDRAIL: Final[Kind] = {"run_type": "chain", "metadata.ls_span_kind": "guardrail"}
MEMORY: Final[Kind] = {"run_type": "chain", "metadata.ls_span_kind": "memory"}

OPENINFERENCE: Final[Mapping[str, Kind]] = {
    "llm": LLM,
    "chain": CHAIN,
    "tool": TOOL,
    "retriever": RETRIEVER,
    "reranker": RERANKER,
    "embedding": EMBEDDING,
    "agent": NAMED_AGENT,
    "guardrail": GUARDRAIL,
    "evaluator": EVALUATOR,
    "prompt": PROMPT,
}
"""The kinds of OpenInference, whose words several dialects took over."""
