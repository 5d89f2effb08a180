"""A run → the same run with its content hidden and rewritten as the user wants.

`Guard` is applied once, last, to the finished run. It fails closed: where a user's `Redact` fails,
all content is withheld.

For users: `secrets`, ready to be the ``redact`` setting, and `texts`, to make one.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from otel_langsmith.credentials import MARK, is_secret, without_credentials
from otel_langsmith.hiding import COUNTS, HIDE_NOTHING, Hiding, counts_of, hide
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


@dataclass(frozen=True, slots=True)
class Guard:
    """What every run goes through last: hiding, then the user's `Redact`."""

    hiding: Hiding = HIDE_NOTHING
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
        key: counts_of(value) if key in COUNTS else value
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
