"""Documents and embeddings → the outputs of retriever and embedding runs."""

from collections.abc import Iterable
from typing import Any, Final

from otel_langsmith.conventions.json import first_of, from_json, json_text
from otel_langsmith.conventions.readers import UNREADABLE, as_raw
from otel_langsmith.run import Json

_TEXTS: Final = ("page_content", "content", "text")


def documents(value: Any) -> Any:
    """Documents in LangChain's form, which LangSmith renders; the text may be missing."""
    found = from_json(value)
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, (list, tuple)):
        return as_raw(value)
    return [_document(item) for item in found]


def documents_of(value: Any) -> Any:
    """The documents in a retriever's outputs, if these are nothing but documents."""
    found = from_json(value)
    if isinstance(found, dict):
        found = found.get("documents")
    if not isinstance(found, (list, tuple)) or not all(map(_is_document, found)):
        return UNREADABLE
    return [_document(item) for item in found]


def documents_or_texts(value: Any) -> Any:
    """The same, or the mere texts of documents: of a step that says it is a retriever."""
    found = from_json(value)
    if isinstance(found, (list, tuple)) and found and all(isinstance(one, str) for one in found):
        return [_document(text) for text in found]
    return documents_of(found)


def vectors(found: Iterable[Any]) -> dict[str, Json]:
    """The count and the dimensions of vectors, which are shown instead of their numbers."""
    sizes = [len(vector) for vector in found if isinstance(vector, (list, tuple))]
    return {"count": len(sizes), "dimensions": sizes[0]} if sizes else {}


def embedded(value: Any) -> Any:
    """The same of OpenAI's response, a list of vectors, or one vector."""
    found = from_json(value)
    if isinstance(found, dict):
        found = found.get("data")
    if not isinstance(found, (list, tuple)):
        return UNREADABLE
    if found and all(isinstance(item, (int, float)) for item in found):
        found = [found]
    return vectors(_vector(item) for item in found) or UNREADABLE


def _vector(item: Any) -> Any:
    return from_json(item.get("embedding")) if isinstance(item, dict) else item


def embedded_texts(value: Any) -> Any:
    """The texts to embed, from a request, a list of texts, or one text."""
    found = from_json(value)
    if isinstance(found, dict):
        found = first_of(found, "input", "texts", "text", "query")
    if isinstance(found, str):
        found = [found]
    return found if isinstance(found, (list, tuple)) and found else UNREADABLE


def _is_document(item: Any) -> bool:
    return isinstance(item, dict) and any(name in item for name in _TEXTS)


def _document(item: Any) -> Json:
    """Text, and all the rest as metadata; the document's own metadata may be JSON."""
    if not isinstance(item, dict):
        return {"page_content": json_text(item), "type": "Document", "metadata": {}}
    text = first_of(item, *_TEXTS)
    metadata = {
        key: value
        for key, value in item.items()
        if key not in _TEXTS and (key, value) != ("type", "Document")
    }
    given = from_json(metadata.get("metadata"))
    if isinstance(given, dict):
        del metadata["metadata"]
        metadata = {**given, **metadata}
    return {
        "page_content": "" if text is None else json_text(text),
        "type": "Document",
        "metadata": metadata,
    }
