"""LangSmith's refusals: a status and a text each; nothing here decides what to refuse.

The shape is the Go ingest service's, ``{"error": "<Status>: <text>"}``. Texts that have been seen
in the wild are reproduced; the others are worded by us, and no client should match on them.
"""

from typing import Final

from otel_langsmith.errors import WireError

ALREADY_RECEIVED: Final = "Conflict: payload already received: payloads already received"


class RefusedError(WireError):
    """A request that LangSmith refuses: ``status`` and ``text`` are what the caller is told."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def bad_request(problem: str) -> RefusedError:
    """400: the framing of the request, or the lineage of a run, is wrong."""
    return RefusedError(400, f"Bad request: {problem}")


def forbidden() -> RefusedError:
    """403: no API key, or one that is not accepted. LangSmith never answers 401 here."""
    return RefusedError(403, "Forbidden")


def workspace_required() -> RefusedError:
    """403: the key belongs to several workspaces and the request does not say which."""
    return RefusedError(403, "org_scoped_key_requires_workspace")


def not_found(what: str) -> RefusedError:
    """404: there is no such thing to read."""
    return RefusedError(404, f"Not found: {what}")


def conflict() -> RefusedError:
    """409: this run has been created, or patched, once already."""
    return RefusedError(409, ALREADY_RECEIVED)


def too_large(problem: str) -> RefusedError:
    """413: the body, as sent or once inflated, is over the limit."""
    return RefusedError(413, f"Request entity too large: {problem}")


def unsupported(problem: str) -> RefusedError:
    """415: a content coding nobody speaks, which RFC 9110 §15.5.16 gives this status."""
    return RefusedError(415, f"Unsupported media type: {problem}")


def unprocessable(problem: str) -> RefusedError:
    """422: the body can be read, but what it says is not what the schema asks for."""
    return RefusedError(422, f"Unprocessable entity: {problem}")


def too_many(problem: str) -> RefusedError:
    """429: over a quota. The text is a guess; that no ``Retry-After`` comes with it is not."""
    return RefusedError(429, f"Too many requests: {problem}")
