"""Hand-made requests: runs, parts and bodies that are right, for tests to spoil."""

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import requests

from otel_langsmith.receiver import Receiver

KEY = {"x-api-key": "local"}
START = datetime(2026, 11, 21, 7, 34, 38, 940409, tzinfo=timezone.utc)
BOUNDARY = "boundary-of-the-tests"


def stamp(offset_ms: int = 0) -> str:
    return f"{START + timedelta(milliseconds=offset_ms):%Y%m%dT%H%M%S%f}Z"


def root(**changes: Any) -> dict[str, Any]:
    run_id = str(uuid.uuid4())
    run = {
        "id": run_id,
        "trace_id": run_id,
        "dotted_order": stamp() + run_id,
        "name": "root",
        "run_type": "chain",
        "start_time": START.isoformat(),
        "inputs": {"question": "why?"},
    }
    return {**run, **changes}


def child(parent: dict[str, Any], *, offset_ms: int = 1, **changes: Any) -> dict[str, Any]:
    run = root(name="child", run_type="tool")
    run["trace_id"] = parent["trace_id"]
    run["parent_run_id"] = parent["id"]
    run["dotted_order"] = f"{parent['dotted_order']}.{stamp(offset_ms)}{run['id']}"
    return {**run, **changes}


def part(
    name: str, value: Any, *headers: str, kind: str = "application/json", length: int | None = None
) -> bytes:
    """A part with its length; ``headers`` replaces Content-Type and Content-Length altogether."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    size = len(data) if length is None else length
    lines = headers or (f"Content-Type: {kind}", f"Content-Length: {size}")
    head = "\r\n".join([f'Content-Disposition: form-data; name="{name}"', *lines])
    return head.encode() + b"\r\n\r\n" + data


def body_of(parts: Iterable[bytes]) -> bytes:
    line = f"--{BOUNDARY}".encode()
    return b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"


def parts_of(run: dict[str, Any], kind: str = "post") -> list[bytes]:
    return [part(f"{kind}.{run['id']}", run)]


def send(
    receiver: Receiver, method: str, path: str, body: bytes, **headers: str
) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(
        method, receiver.url + path, data=body, headers={**KEY, **named}, timeout=30
    )


def send_json(receiver: Receiver, method: str, path: str, value: Any) -> requests.Response:
    return send(receiver, method, path, json.dumps(value).encode())


def send_batch(
    receiver: Receiver, *, post: Sequence[Any] = (), patch: Sequence[Any] = ()
) -> requests.Response:
    return send_json(receiver, "POST", "/runs/batch", {"post": post, "patch": patch})


def send_parts(receiver: Receiver, parts: Iterable[bytes], **headers: str) -> requests.Response:
    return send_multipart(receiver, body_of(parts), **headers)


def send_multipart(receiver: Receiver, body: bytes, **headers: str) -> requests.Response:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return send(receiver, "POST", "/runs/multipart", body, **{"content_type": kind, **headers})
