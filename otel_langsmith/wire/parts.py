"""A run → the parts of a multipart body that say it.

Spec: LangSmith's OpenAPI, ``POST /runs/multipart``: parts are named ``post.<run id>[.<field>]``,
those of an update ``patch.…``.
"""

import platform
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from otel_langsmith.identity import SEGMENT_LENGTH, STAMP_LENGTH, UUID_LENGTH, iso_time
from otel_langsmith.run import RUN_TYPES, Json, Run
from otel_langsmith.version import __version__
from otel_langsmith.wire.json import dumps, plain_text

RUNTIME: Final[Json] = {
    "sdk": "otel-langsmith",
    "sdk_version": __version__,
    "library": "opentelemetry",
    "runtime": "python",
    "runtime_version": platform.python_version(),
}
"""What LangSmith shows as the run's origin."""

MAX_NAME: Final = 128
"""Characters of a name that LangSmith takes, counted when NULs and the like are spelled out."""

_JSON: Final = "application/json"
_MIME_TYPE: Final = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}", re.ASCII)
_UNSAFE_IN_NAME: Final = re.compile(r"[^\w -]", re.ASCII)
_MAX_ATTACHMENT_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body. ``name`` and ``content_type`` are safe to stand in a header."""

    name: str
    content_type: str
    body: bytes


def fault_of(run: Run) -> str | None:
    """Why LangSmith would refuse the run, and with it its whole request; None if it would not.

    The invariants of langsmith.md §3.1, checked by offsets in constant time: what lies above the
    parent was checked when the parent's lineage was made.
    """
    order, own = run.dotted_order, -SEGMENT_LENGTH
    above = order[: own - 1][own:]
    rules = (
        (order[-UUID_LENGTH:] == run.id, "id is not the last of dotted_order"),
        (order[STAMP_LENGTH:SEGMENT_LENGTH] == run.trace_id, "trace_id is not the first"),
        ((above[STAMP_LENGTH:] or None) == run.parent_run_id, "parent is not the last but one"),
        (above[:STAMP_LENGTH] <= order[own:][:STAMP_LENGTH], "it starts before its parent"),
        ((len(order) + 1) % (SEGMENT_LENGTH + 1) == 0, "dotted_order has a wrong length"),
        (run.run_type in RUN_TYPES, "unknown run_type"),
        (isinstance(run.name, str), "its name is no text"),
        (isinstance(run.inputs, Mapping), "inputs are no object"),
        (run.outputs is None or isinstance(run.outputs, Mapping), "outputs are no object"),
    )
    return next((fault for holds, fault in rules if not holds), None)


def parts_of(run: Run, *, placed: bool = True) -> Iterator[Part]:
    """The parts of a run: the main one first, as every known client sends them.

    Whatever a run that is shown while it is open may lack at its end is said even if empty, so that
    the end replaces it. Unless ``placed``, its place in a tree is left out.
    """
    name = f"post.{run.id}"
    yield Part(name, _JSON, dumps({**_main(run), **(place_of(run) if placed else {})}))
    yield Part(f"{name}.inputs", _JSON, dumps(run.inputs))
    if run.outputs is not None:
        yield Part(f"{name}.outputs", _JSON, dumps(run.outputs))
    if run.events:
        yield Part(f"{name}.events", _JSON, dumps(run.events))
    yield Part(f"{name}.extra", _JSON, dumps(_extra(run)))
    if run.error is not None:
        yield Part(f"{name}.error", _JSON, dumps(run.error))
    yield from _attachments(run)


def parts_of_closing(run: Run, *, placed: bool = True) -> Iterator[Part]:
    """The parts that end a run without its content: what was said of it before stays."""
    main, *_, error = parts_of(run, placed=placed)
    return iter((main, error))


def as_patch(part: Part) -> Part:
    """The same part of an update; attachments have one name for both."""
    event, _, rest = part.name.partition(".")
    return replace(part, name=f"patch.{rest}") if event == "post" else part


def as_post(part: Part) -> Part:
    """The part of an update as it was before `as_patch`."""
    event, _, rest = part.name.partition(".")
    return replace(part, name=f"post.{rest}") if event == "patch" else part


def place_of(run: Run) -> dict[str, Json]:
    """Where in its tree the run is."""
    place = {"trace_id": run.trace_id, "dotted_order": run.dotted_order}
    return {**place, "parent_run_id": run.parent_run_id} if run.parent_run_id else place


def _main(run: Run) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "id": run.id,
        "name": plain_text(run.name)[:MAX_NAME],
        "run_type": run.run_type,
        "start_time": iso_time(run.start_time_ns),
        "tags": run.tags,
    }
    optional = {
        "end_time": None if run.end_time_ns is None else iso_time(run.end_time_ns),
        "session_id": run.session_id,
        "session_name": None if run.session_id else run.project,
        "reference_example_id": run.reference_example_id,
    }
    return fields | {field: value for field, value in optional.items() if value}


def _extra(run: Run) -> dict[str, Json]:
    extra: dict[str, Json] = {"metadata": run.metadata, "runtime": RUNTIME}
    if run.invocation_params:
        extra["invocation_params"] = run.invocation_params
    return extra


def _attachments(run: Run) -> Iterator[Part]:
    taken: Counter[str] = Counter()
    for attachment in run.attachments:
        name = _attachment_name(attachment.name, taken)
        mime_type = attachment.mime_type
        safe = mime_type if _MIME_TYPE.fullmatch(mime_type) else "application/octet-stream"
        yield Part(f"attachment.{run.id}.{name}", safe, attachment.data)


def _attachment_name(given: str, taken: Counter[str]) -> str:
    """A name no header and no dot can break, and no other attachment of the run has."""
    name = _UNSAFE_IN_NAME.sub("_", given)[:_MAX_ATTACHMENT_NAME] or "attachment"
    taken[name] += 1
    # numbered with a sign that no given name can hold after the substitution
    return name if taken[name] == 1 else f"{name}+{taken[name]}"
