"""A run → the same run without what was asked to be hidden, and rewritten as was asked.

Applied once, last, to the finished run, by `Guard`. It fails closed: beside inputs and outputs it
withholds every text that may repeat them, because an instrumentation nobody has a table for yet
leaves its prompts among the metadata; and where a user's `Redact` fails, all content is withheld.

Public here: `secrets`, ready to be the ``redact`` setting, and `texts`, to make one.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from otel_langsmith.credentials import MARK, is_secret, without_credentials
from otel_langsmith.run import Attachment, Json, JsonObject, Run
from otel_langsmith.wire.json import plain

__all__ = ["Guard", "Hiding", "Redact", "hide", "secrets", "texts"]

Redact: TypeAlias = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Rewrites the content of a run, ours to keep: a dict of what `CONTENT` names, as JSON values.

What it leaves out is withheld. It is called from the thread that sends, for each time a run is
sent: with ``live`` that may be while its span is open, too.
"""

CONTENT: Final = (
    "name",
    "inputs",
    "outputs",
    "error",
    "events",
    "tags",
    "metadata",
    "invocation_params",
    "attachments",
)
"""All of a run that may hold a user's words. Attachments are ``{name, mime_type, data}``, the last
in base64; links, status and resource are among the metadata."""

REDACTION_FAILED: Final = "redaction_failed"
"""`Redact` raised, or returned what is no content; the run says when, where and what it cost."""

_IDENTITY: Final = frozenset(
    (
        *("OTEL_SPAN_ID", "OTEL_TRACE_ID", "otel.parent_span_id", "otel.span.kind"),
        *("aggregated_usage", "usage_metadata", "otel_langsmith.notes"),
    )
)
"""The metadata that we wrote ourselves, in words of ours."""

_KEPT: Final = frozenset(
    (
        "OTEL_SPAN_ID",
        "OTEL_TRACE_ID",
        "deployment.environment.name",
        "ls_max_tokens",
        "ls_model_name",
        "ls_model_type",
        "ls_provider",
        "ls_response_model",
        "ls_temperature",
        "otel.parent_span_id",
        "otel.scope.name",
        "otel.scope.version",
        "otel.span.kind",
        "otel_langsmith.notes",
        "otel_langsmith.same_call",
        "service.instance.id",
        "service.name",
        "service.namespace",
        "service.version",
        "telemetry.sdk.language",
        "telemetry.sdk.name",
        "telemetry.sdk.version",
        "thread_id",
    )
)
"""The metadata that say where a run comes from, what answered and what it cost."""

_COUNTS: Final = frozenset(("aggregated_usage", "usage_metadata"))
"""Objects of numbers."""

_NAME: Final = re.compile(r"[\w.:/@+-]{1,128}", re.ASCII)
"""A word as ids, models and classes are called; no sentence is one."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """What is to be hidden."""

    inputs: bool = False
    outputs: bool = False
    metadata: bool = False


def hide(run: Run, hiding: Hiding) -> Run:
    """The run with inputs, outputs and metadata withheld as asked.

    Hiding inputs or outputs also withholds attachments, the arguments of events, the words of an
    error (its type stays), and all text among metadata and parameters but for the names of models,
    services and the like. Hiding metadata withholds the numbers among them too, and the tags. The
    names of spans stay: they are what OpenTelemetry wants to be the same for many spans.
    """
    content = hiding.inputs or hiding.outputs
    if not (content or hiding.metadata):
        return run
    return replace(
        run,
        name=_name(run) if content else run.name,
        inputs={} if hiding.inputs else run.inputs,
        outputs={} if hiding.outputs and run.outputs is not None else run.outputs,
        metadata=_metadata(run.metadata, numbers=not hiding.metadata),
        tags=() if hiding.metadata else tuple(filter(_NAME.fullmatch, run.tags)),
        invocation_params=_parameters(run.invocation_params),
        events=[_bare(event) for event in run.events] if content else run.events,
        error=_kind_of_error(run) if content else run.error,
        attachments=() if content else run.attachments,
    )


def _name(run: Run) -> str:
    """The run's name, or the span's if somebody made a sentence of that, with what he said."""
    own = run.metadata.get("otel.span.name")
    return own if isinstance(own, str) and not _NAME.fullmatch(run.name) else run.name


def _metadata(metadata: JsonObject, *, numbers: bool) -> JsonObject:
    kept: dict[str, Json] = {}
    for key, value in metadata.items():
        if key in _KEPT:
            kept[key] = _wordless(value)
        elif key in _COUNTS:
            kept[key] = _counts(value)
        elif numbers and _is_number(value) and _NAME.fullmatch(key):
            kept[key] = value
    return kept


def _parameters(parameters: JsonObject) -> JsonObject:
    return {
        key: _wordless(value)
        for key, value in parameters.items()
        if key == "model" or (_is_number(value) and _NAME.fullmatch(key))
    }


def _wordless(value: Json) -> Json:
    """A number, a name, or a list of them; of anything else nothing."""
    if isinstance(value, (list, tuple)):
        return [_wordless(item) for item in value]
    named = isinstance(value, str) and _NAME.fullmatch(value)
    return value if named or _is_number(value) else None


def _counts(value: Json) -> Json:
    """The numbers of an object, two levels deep as LangSmith's usage has them."""
    if not isinstance(value, Mapping):
        return None
    details = {key: _numbers(part) for key, part in value.items() if isinstance(part, Mapping)}
    return _numbers(value) | {key: part for key, part in details.items() if _is_name(key)}


def _numbers(value: JsonObject) -> dict[str, Json]:
    return {key: item for key, item in value.items() if _is_number(item) and _is_name(key)}


def _is_name(key: object) -> bool:
    return isinstance(key, str) and _NAME.fullmatch(key) is not None


def _is_number(value: Json) -> bool:
    return value is None or isinstance(value, (bool, int, float))


def _bare(event: JsonObject) -> JsonObject:
    return {"name": _wordless(event["name"]) or "event", "time": event["time"]}


def _kind_of_error(run: Run) -> str | None:
    if run.error is None:
        return None
    return run.error_type if run.error_type and _NAME.fullmatch(run.error_type) else "error"


@dataclass(frozen=True, slots=True)
class Guard:
    """What every run goes through last: hiding, then the user's `Redact`."""

    hiding: Hiding = Hiding()
    redact: Redact | None = None

    def __call__(self, run: Run) -> Run:
        """The run as it may be sent. Never raises."""
        run = hide(run, self.hiding)
        return run if self.redact is None else _redacted(run, self.redact)


def texts(
    replaced: Callable[[str], str], *, is_withheld: Callable[[str], bool] | None = None
) -> Redact:
    """A `Redact` that replaces every text of a run, keys and the text in attachments included.

    Args:
        replaced: A text → what is to be sent of it.
        is_withheld: Whether what a name holds is to be withheld whole, if it is a text.
    """

    def redact(content: dict[str, Any]) -> dict[str, Any]:
        files = [_attached(file, replaced) for file in content.pop("attachments")]
        rewritten = {
            name: _rewritten(part, replaced, is_withheld) for name, part in content.items()
        }
        return {**rewritten, "attachments": files}

    return redact


def secrets(content: dict[str, Any]) -> Mapping[str, Any]:
    """Withholds what looks like a key, a token or a password, or is named like one.

    Use it as ``LangSmithSpanExporter(redact=secrets)``.
    """
    return _without_secrets(content)


_without_secrets: Final = texts(without_credentials, is_withheld=is_secret)


def _rewritten(
    value: Json, replaced: Callable[[str], str], is_withheld: Callable[[str], bool] | None
) -> Json:
    if isinstance(value, str):
        return replaced(value)
    if isinstance(value, list):
        return [_rewritten(item, replaced, is_withheld) for item in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Json] = {}
    for name, item in value.items():
        withheld = is_withheld is not None and is_withheld(name) and _has_text(item)
        made[replaced(name)] = MARK if withheld else _rewritten(item, replaced, is_withheld)
    return made


def _has_text(item: Json) -> bool:
    if isinstance(item, list):
        return any(map(_has_text, item))
    return isinstance(item, str) and bool(item)


def _attached(file: dict[str, Any], replaced: Callable[[str], str]) -> dict[str, Any]:
    """A file with its name rewritten, and its content if that is text."""
    named = {**file, "name": replaced(file["name"]), "mime_type": replaced(file["mime_type"])}
    try:
        text = b64decode(file["data"]).decode()
    except UnicodeDecodeError:
        return named
    return {**named, "data": b64encode(replaced(text).encode()).decode()}


def _redacted(run: Run, redact: Redact) -> Run:
    """The run with what ``redact`` made of its content; without any if it failed."""
    try:
        made = redact(_content_of(run))
        fields = {name: _CHECKED[name](made.get(name)) for name in CONTENT}
        if run.error is not None and fields["error"] is None:
            fields["error"] = "error"  # without one the run would count as a success
        return replace(run, **fields)
    except Exception:  # noqa: BLE001 - the user's own code; what it did not bless is not sent
        return _withheld(run)


def _content_of(run: Run) -> dict[str, Any]:
    """The content as it would be sent: a copy, since what runs hold is shared."""
    content = {name: plain(getattr(run, name)) for name in CONTENT if name != "attachments"}
    content["attachments"] = [
        {
            "name": file.name,
            "mime_type": file.mime_type,
            "data": b64encode(file.data).decode(),
        }
        for file in run.attachments
    ]
    return content


def _withheld(run: Run) -> Run:
    notes = (*run.notes, REDACTION_FAILED)
    kept = {
        key: _counts(value) if key in _COUNTS else value
        for key, value in run.metadata.items()
        if key in _IDENTITY
    }
    return replace(
        run,
        name=run.run_type,
        inputs={},
        outputs=None if run.outputs is None else {},
        error=None if run.error is None else "error",
        error_type=None,
        events=[],
        tags=(),
        metadata={**kept, "otel_langsmith.notes": list(notes)},
        invocation_params={},
        attachments=(),
        notes=notes,
    )


def _of_type(kind: type, absent: Any) -> Callable[[Any], Any]:
    """A check of what `Redact` returned for a field; the value of one that it left out."""

    def check(value: Any) -> Any:
        if value is None:
            return absent
        if not isinstance(value, kind):
            raise TypeError
        return value

    return check


def _events(value: Any) -> list[JsonObject]:
    return [{"name": "event", **event} for event in value or () if event["time"]]


def _tags(value: Any) -> list[str]:
    return [tag for tag in value or () if isinstance(tag, str)]


def _attachments(value: Any) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            file["name"].replace(".", "_"),
            file["mime_type"],
            b64decode(file["data"], validate=True),
        )
        for file in value or ()
    )


_CHECKED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": _of_type(str, "run"),
    "inputs": _of_type(Mapping, {}),
    "outputs": _of_type(Mapping, None),
    "error": _of_type(str, None),
    "events": _events,
    "tags": _tags,
    "metadata": _of_type(Mapping, {}),
    "invocation_params": _of_type(Mapping, {}),
    "attachments": _attachments,
}
