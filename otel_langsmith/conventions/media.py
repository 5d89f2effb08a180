"""Large media in messages → attachments, which are sent as bytes.

An image in base64 would be stored, searched and shown as text, a third longer than its bytes.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.run import Attachment, Json, JsonObject

INLINE: Final = 65_536
"""Characters of base64 that stay where they are; LangSmith's own SDK attaches only when told to."""


def detached(content: JsonObject, attachments: dict[str, Attachment]) -> JsonObject:
    """The inputs or outputs with their large media moved into ``attachments``, by name.

    The block that is left has ``attachment://`` and the name as its id. The name is a hash of the
    bytes: the same image twice is one attachment.
    """
    messages = content.get("messages")
    if not isinstance(messages, list) or not _hold_media(messages):
        return content
    return {**content, "messages": [_lightened(one, attachments) for one in messages]}


def _hold_media(messages: list[Any]) -> bool:
    """Whether any block has base64; a close look costs three times as much, and few need it."""
    try:
        for message in messages:
            if type(blocks := message["content"]) is list:
                for block in blocks:
                    if "base64" in block:
                        return True
    except (LookupError, TypeError):  # somebody's own idea of messages
        return True
    return False


def _is_heavy(message: Any) -> bool:
    blocks = message.get("content") if type(message) is dict else None
    return type(blocks) is list and any(map(_is_large, blocks))


def _is_large(block: Any) -> bool:
    data = block.get("base64") if type(block) is dict else None
    return isinstance(data, str) and len(data) > INLINE


def _lightened(message: Any, attachments: dict[str, Attachment]) -> Json:
    if not _is_heavy(message):
        return message
    blocks = [
        _linked(block, attachments) if _is_large(block) else block for block in message["content"]
    ]
    return {**message, "content": blocks}


def _linked(block: Mapping[str, Any], attachments: dict[str, Attachment]) -> Json:
    try:
        data = base64.b64decode(block["base64"], validate=True)
    except (binascii.Error, ValueError):
        return block
    import hashlib  # noqa: PLC0415 - rare, and 4 ms to import

    mime = block.get("mime_type")
    name = f"{block.get('type', 'file')}-{hashlib.sha256(data).hexdigest()[:16]}".replace(".", "_")
    attachments[name] = Attachment(
        name, mime if isinstance(mime, str) and mime else "application/octet-stream", data
    )
    kept = {key: value for key, value in block.items() if key != "base64"}
    return {**kept, "id": f"attachment://{name}"}
