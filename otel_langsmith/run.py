"""What LangSmith calls a run, as values; nothing here knows OpenTelemetry or HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, or lists and dicts of them."""

JsonObject: TypeAlias = Mapping[str, Json]
"""A JSON object. Never mutated once it is part of a `Run`."""

RunType: TypeAlias = Literal["chain", "llm", "tool", "retriever", "embedding", "prompt", "parser"]
"""The closed vocabulary of LangSmith's ``run_type``; any other word fails the whole request."""

RUN_TYPES: Final[frozenset[str]] = frozenset(get_args(RunType))

EMPTY: Final[JsonObject] = {}


class Texts(list[Json]):
    """Messages of a role and one text each, as most are: nothing in them needs a closer look.

    There is no medium in them, no number, and nothing that JSON or LangSmith cannot hold. Never
    mutated.
    """

    __slots__ = ()


def are_texts(side: object) -> bool:
    """Whether inputs or outputs are such messages and nothing else."""
    return type(side) is dict and len(side) == 1 and type(side.get("messages")) is Texts


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels beside a run as raw bytes.

    Its name may not hold a ``.``: LangSmith separates the parts of a multipart name by dots.
    """

    name: str
    mime_type: str
    data: bytes


@dataclass(slots=True)
class Run:
    """One run, complete: what LangSmith is told about one span. Never mutated once it is made.

    (Not frozen: with twenty fields that alone costs 3 µs of the 8 that a plain span may cost.
    `translate` fills them in one by one, for a call with so many costs half as much again.)

    Ids are dashed lower-case UUIDs. Times are Unix nanoseconds in UTC; the wire cuts them to
    microseconds. ``metadata`` becomes ``extra.metadata``, ``invocation_params`` becomes
    ``extra.invocation_params``, ``project`` becomes ``session_name``. ``outputs`` is None when the
    span recorded none. ``error_type`` is what kind of error it was, without its words; it is not
    sent. ``notes`` name what had to be bent to make the run acceptable (a clamped
    stamp, an unusable override); they are counted in the ledger.

    Spec: https://docs.langchain.com/langsmith/run-data-format
    """

    id: str
    trace_id: str
    parent_run_id: str | None
    dotted_order: str
    name: str
    run_type: RunType
    start_time_ns: int
    end_time_ns: int | None
    project: str | None = None
    session_id: str | None = None
    reference_example_id: str | None = None
    inputs: JsonObject = field(default_factory=dict)
    outputs: JsonObject | None = None
    error: str | None = None
    error_type: str | None = None
    events: Sequence[JsonObject] = ()
    tags: Sequence[str] = ()
    metadata: JsonObject = field(default_factory=dict)
    invocation_params: JsonObject = field(default_factory=dict)
    attachments: Sequence[Attachment] = ()
    notes: Sequence[str] = ()
