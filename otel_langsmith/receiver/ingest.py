"""The body of each ingest endpoint to the operations it asks for, all of them valid; pure.

One bad run fails the whole request, as it does at LangSmith, so every function here either returns
everything or raises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from otel_langsmith.receiver.multipart import Part
from otel_langsmith.receiver.refusal import RefusedError, unprocessable
from otel_langsmith.receiver.rules import (
    Kind,
    canonical_uuid,
    lineage_refusal,
    normal,
    schema_problems,
    type_name,
)
from otel_langsmith.receiver.strict_json import decode
from otel_langsmith.run import Attachment, Json, JsonObject

_KINDS: Final[tuple[Kind, ...]] = ("post", "patch")


@dataclass(frozen=True, slots=True)
class Operation:
    """One run created or updated: its fields without nulls, UUIDs in canonical form."""

    kind: Kind
    run: JsonObject
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """All that one request asks for. Stored whole or not at all."""

    operations: Sequence[Operation] = ()
    feedback: Sequence[JsonObject] = ()


def from_single(body: bytes, kind: Kind, run_id: str | None = None) -> Delivery:
    """``POST /runs``, or ``PATCH /runs/{run_id}`` with the id from the path.

    Here, and only here, ``trace_id`` and ``dotted_order`` may be left to the server.
    """
    run = decode(body, "error parsing run")
    if run_id is not None and isinstance(run, dict):
        if run.get("id") is not None and canonical_uuid(run["id"]) != canonical_uuid(run_id):
            raise unprocessable(f"id: {run['id']} is not the {run_id} of the path")
        run = {**run, "id": run_id}
    return Delivery((_operation(run, kind, "error parsing run: ", single=True),))


def from_batch(body: bytes) -> Delivery:
    """``POST /runs/batch``: ``{"post": [...], "patch": [...]}``, either of which may be absent."""
    batch = decode(body, "invalid batch JSON")
    if not isinstance(batch, dict):
        raise unprocessable(f"invalid batch JSON: Expected: object, given: {type_name(batch)}")
    return Delivery(
        tuple(
            _operation(run, kind, f"invalid batch JSON: batch schema error {kind}.{index}.")
            for kind in _KINDS
            for index, run in enumerate(_listed(batch, kind))
        )
    )


def from_parts(parts: Sequence[Part]) -> Delivery:
    """``POST /runs/multipart``. The order of the parts does not matter, repetition does."""
    if not parts:
        # A body that was read once and is sent again comes out empty. Accepting it hides the loss.
        raise unprocessable("a multipart body must have at least one part")
    _check_unique(parts)
    gathered = _gathered(parts)
    feedback = tuple(_feedback(part) for part in parts if part.event == "feedback")
    return Delivery(_with_attachments(gathered, parts), feedback)


def _listed(batch: JsonObject, kind: Kind) -> list[Json]:
    runs = batch.get(kind)
    if runs is None:
        return []
    if not isinstance(runs, list):
        raise unprocessable(
            f"invalid batch JSON: batch schema error {kind}: "
            f"Invalid type. Expected: array, given: {type_name(runs)}"
        )
    return runs


def _operation(run: Json, kind: Kind, where: str, *, single: bool = False) -> Operation:
    if not isinstance(run, dict):
        raise unprocessable(f"{where}Invalid type. Expected: object, given: {type_name(run)}")
    if problems := schema_problems(run, kind):
        raise unprocessable("; ".join(where + problem for problem in problems))
    fields = normal(run)
    refusal = lineage_refusal(fields, kind, required=not single)
    if refusal is not None:
        raise refusal
    return Operation(kind, fields)


def _check_unique(parts: Sequence[Part]) -> None:
    seen: set[str] = set()
    for part in parts:
        if part.name in seen:
            raise _broken(part.name, "the part is there twice")
        seen.add(part.name)


def _gathered(parts: Sequence[Part]) -> dict[tuple[str, str], Operation]:
    """Every main part with its field parts put into it, keyed by kind and run id."""
    runs = {
        (part.event, part.id): _main(part)
        for part in parts
        if part.event in _KINDS and not part.field
    }
    for part in parts:
        if part.event in _KINDS and part.field:
            if (part.event, part.id) not in runs:
                raise _broken(part.name, f"there is no part {part.event}.{part.id}")
            runs[part.event, part.id][part.field] = _value(part)
    return {
        (kind, run_id): _operation(
            runs[kind, run_id],
            kind,
            f"error parsing run for {kind}.{run_id}: schema validation failed: ",
        )
        for kind in _KINDS
        for of, run_id in runs
        if of == kind
    }


def _main(part: Part) -> dict[str, Json]:
    run = _object(part)
    if run.get("id") is not None and canonical_uuid(run["id"]) != part.id:
        if canonical_uuid(run["id"]) is None:
            return run  # the schema says it better
        raise _broken(part.name, f"id: {run['id']} is not the id in the part's name")
    return {**run, "id": part.id}


def _feedback(part: Part) -> JsonObject:
    feedback = _object(part)
    trace_id = canonical_uuid(feedback.get("trace_id"))
    if trace_id is None:
        raise _broken(part.name, "feedback must contain a trace_id")
    return {**feedback, "id": part.id, "trace_id": trace_id}


def _with_attachments(
    gathered: Mapping[tuple[str, str], Operation], parts: Sequence[Part]
) -> tuple[Operation, ...]:
    files: dict[str, list[Attachment]] = {}
    for part in parts:
        if part.event == "attachment":
            files.setdefault(part.id, []).append(Attachment(part.field, part.media_type, part.data))
    operations = []
    for operation in gathered.values():
        attached = tuple(files.pop(operation.run["id"], ()))
        operations.append(Operation(operation.kind, operation.run, attached))
    for run_id, (first, *_) in files.items():
        raise _broken(f"attachment.{run_id}.{first.name}", "there is no run for this attachment")
    return tuple(operations)


def _object(part: Part) -> dict[str, Json]:
    value = _value(part)
    if not isinstance(value, dict):
        raise _broken(part.name, f"Invalid type. Expected: object, given: {type_name(value)}")
    return value


def _value(part: Part) -> Json:
    return decode(part.data, f"error parsing run for {part.name}")


def _broken(name: str, problem: str) -> RefusedError:
    return unprocessable(f"error parsing run for {name}: {problem}")
