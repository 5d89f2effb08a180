"""LangSmith's rules for one run, the same at every endpoint: JSON in, problems out; pure.

Status 422 is for the schema, 400 for the lineage (``dotted_order``, ``trace_id``,
``parent_run_id``). Unknown fields are ignored, as the server does; so are ``attachments`` and
``child_runs``, which the official SDKs still send empty.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from otel_langsmith.receiver import instants
from otel_langsmith.receiver.dotted_order import UUID_PATTERN, Kin, kinship_problem
from otel_langsmith.receiver.refusal import RefusedError, bad_request
from otel_langsmith.run import RUN_TYPES, Json, JsonObject

Kind: TypeAlias = Literal["post", "patch"]
Check: TypeAlias = Callable[[Json], "str | None"]

MAX_NAME_LENGTH: Final = 128

_UUID: Final = re.compile(rf"{UUID_PATTERN}|[0-9a-fA-F]{{32}}")
_TYPE_NAMES: Final = {bool: "boolean", int: "integer", float: "number", str: "string"}


def canonical_uuid(value: Json) -> str | None:
    """The dashed lower-case form of a UUID, dashed or not; None for anything else."""
    if not isinstance(value, str) or _UUID.fullmatch(value) is None:
        return None
    digits = value.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def schema_problems(run: JsonObject, kind: Kind) -> list[str]:
    """Everything in ``run`` that the schema refuses, as ``field: problem``."""
    problems = [f"{field}: is required" for field in _REQUIRED[kind] if run.get(field) is None]
    for field, check in _SCHEMA.items():
        value = run.get(field)
        if value is not None and (problem := check(value)) is not None:
            problems.append(f"{field}: {problem}")
    return problems


def normal(run: JsonObject) -> dict[str, Json]:
    """``run`` without its nulls, which say nothing, and with every UUID in canonical form."""
    return {
        field: canonical_uuid(value) if _SCHEMA.get(field) is _uuid else value
        for field, value in run.items()
        if value is not None
    }


def lineage_refusal(run: JsonObject, kind: Kind, *, required: bool) -> RefusedError | None:
    """The 400 that the ids and the dotted order of a `normal` run deserve, if any.

    Batch and multipart requests have ``trace_id`` and ``dotted_order`` ``required``; a single run
    may leave them out, and the server derives them.
    """
    order, trace_id = run.get("dotted_order"), run.get("trace_id")
    problem = None
    if required and (order is None or trace_id is None):
        problem = "trace_id and dotted_order are required"
    elif order is not None:
        problem = kinship_problem(
            order,
            Kin(
                run_id=run["id"],
                trace_id=trace_id or order.partition("Z")[2][:36].lower(),
                parent_run_id=run.get("parent_run_id"),
            ),
            is_patch=kind == "patch",
        )
    return (
        None if problem is None else bad_request(f"invalid 'dotted_order': {problem} {_who(run)}")
    )


def _who(run: JsonObject) -> str:
    # LangSmith echoes these four, and clients find the culprit of a refused batch by them.
    fields = ("trace_id", "dotted_order", "parent_run_id")
    return f"for run_id:{run['id']} " + " ".join(f"{field}:{run.get(field)}" for field in fields)


def type_name(value: Json) -> str:
    """What JSON Schema calls the type of a decoded value."""
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, Mapping) else _TYPE_NAMES.get(type(value), "null")


def _typed(expected: str, kinds: type | tuple[type, ...]) -> Check:
    def check(value: Json) -> str | None:
        if isinstance(value, kinds):
            return None
        return f"Invalid type. Expected: {expected}, given: {type_name(value)}"

    return check


def _each(expected: str, kind: type) -> Check:
    is_array = _typed("array", list)
    is_item = _typed(expected, kind)

    def check(value: Json) -> str | None:
        if (problem := is_array(value)) is not None:
            return problem
        return next((problem for item in value if (problem := is_item(item)) is not None), None)

    return check


def _uuid(value: Json) -> str | None:
    # gojsonschema's words when a value is neither a UUID nor null.
    return None if canonical_uuid(value) else "Must validate one and only one schema (oneOf)"


def _name(value: Json) -> str | None:
    if (problem := _string(value)) is not None:
        return problem
    if len(value) <= MAX_NAME_LENGTH:
        return None
    return f"String length must be less than or equal to {MAX_NAME_LENGTH}"


def _run_type(value: Json) -> str | None:
    if isinstance(value, str) and value in RUN_TYPES:
        return None
    allowed = ", ".join(f'"{word}"' for word in sorted(RUN_TYPES))
    return f"run_type must be one of the following: {allowed}"


def _time(value: Json) -> str | None:
    try:
        instants.read(value)
    except ValueError as error:
        return str(error)
    return None


_string: Final = _typed("string", str)
_object: Final = _typed("object", dict)

_SCHEMA: Final[Mapping[str, Check]] = {
    "id": _uuid,
    "trace_id": _uuid,
    "parent_run_id": _uuid,
    "session_id": _uuid,
    "reference_example_id": _uuid,
    "dotted_order": _string,
    "name": _name,
    "run_type": _run_type,
    "start_time": _time,
    "end_time": _time,
    "inputs": _object,
    "outputs": _object,
    "extra": _object,
    "serialized": _object,
    "error": _string,
    "status": _string,
    "session_name": _string,
    "events": _each("object", dict),
    "tags": _each("string", str),
}

# The published spec marks nothing required; an older edition, and every SDK, name these of a post.
_REQUIRED: Final[Mapping[Kind, tuple[str, ...]]] = {
    "post": ("id", "name", "run_type"),
    "patch": ("id",),
}
