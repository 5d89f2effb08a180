"""`redact`: what is hidden is gone from every field that may repeat it; the rest stays useful."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.posts import posted

from otel_langsmith.identity import run_id_of
from otel_langsmith.lineage import root
from otel_langsmith.redact import REDACTION_FAILED, Guard, Hiding, hide, secrets, texts
from otel_langsmith.run import Attachment, Run

CANARY = "the quick canary"
LINEAGE = root(run_id_of(1), 0)

contents = st.recursive(
    st.just(CANARY) | st.just([CANARY, 1]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.just(CANARY) | st.just("k"), inner, min_size=1)
    ),
    max_leaves=6,
)
keys = st.sampled_from(
    [
        *("ls_prompt", "ls_model_name", "usage_metadata", "thread_id", "service.name", "note"),
        *("otel.status_description", "otel.links", "otel.attribute.ls_provider", "otel.scope.name"),
    ]
)


def run_of(**fields: Any) -> Run:
    given: dict[str, Any] = {
        "id": LINEAGE.run_id,
        "trace_id": LINEAGE.trace_id,
        "parent_run_id": None,
        "dotted_order": LINEAGE.dotted_order,
        "name": "chat",
        "run_type": "llm",
        "start_time_ns": 0,
        "end_time_ns": 1,
    }
    return Run(**{**given, **fields})


def told(run: Run) -> str:
    """Everything that would go over the wire."""
    return " ".join(f"{p.name} {p.content_type} {p.body.decode()}" for p in posted(run))


@given(
    hiding=st.sampled_from(
        [Hiding(inputs=True, outputs=True), Hiding(inputs=True, outputs=True, metadata=True)]
    ),
    metadata=st.dictionaries(keys, contents),
    content=contents,
)
def test_no_text_survives_wherever_it_stood(
    hiding: Hiding, metadata: dict[str, Any], content: Any
) -> None:
    run = run_of(
        inputs={"messages": content},
        outputs={"messages": content},
        error=f"ValueError: {CANARY}",
        error_type=f"ValueError {CANARY}",
        events=({"name": CANARY, "time": "t", "kwargs": {"k": content}},),
        metadata=metadata,
        invocation_params={"tools": content, "model": "gpt-4o", "stop": content, "n": 2},
        attachments=(Attachment("file", "text/plain", CANARY.encode()),),
    )
    assert CANARY not in told(hide(run, hiding))


def test_what_is_useful_and_says_nothing_stays() -> None:
    metadata = {
        "ls_provider": "openai",
        "ls_model_name": "gpt-4o-mini-2024-07-18",
        "thread_id": "thread-7",
        "usage_metadata": {"input_tokens": 5, "input_token_details": {"cache_read": 2}},
        "http.response.body.size": 12,
        "user.prompt": "hello",
        "what the user asked": 5,
    }
    run = run_of(
        metadata=metadata,
        error="openai.RateLimitError: slow down, Ada",
        error_type="openai.RateLimitError",
        invocation_params={"model": "gpt-4o", "temperature": 0.2, "stop": ["END"]},
        events=({"name": "new_token", "time": "t", "kwargs": {"token": "Hel"}},),
        inputs={"a": 1},
        outputs={"b": 2},
        tags=("beta", "what the user asked"),
    )
    hidden = hide(run, Hiding(inputs=True))
    kept = {key: value for key, value in metadata.items() if key[:4] not in ("user", "what")}
    assert hidden.metadata == kept
    assert hidden.invocation_params == {"model": "gpt-4o", "temperature": 0.2}
    assert hidden.error == "openai.RateLimitError"
    assert hidden.events == [{"name": "new_token", "time": "t"}]
    assert (hidden.inputs, hidden.outputs, hidden.tags) == ({}, {"b": 2}, ("beta",))


def test_hiding_metadata_leaves_content_alone() -> None:
    run = run_of(inputs={"q": "hello"}, metadata={"a": 1, "ls_provider": "openai"}, tags=("t",))
    hidden = hide(run, Hiding(metadata=True))
    assert (hidden.inputs, hidden.metadata, hidden.tags) == (
        {"q": "hello"},
        {"ls_provider": "openai"},
        (),
    )


def test_what_is_no_name_is_hidden_whatever_it_is() -> None:
    """As keys that are no text, which a span made by hand may have."""
    usage = {None: 1, 7: {"a": 1}, "input_tokens": 2, "a name": 3}
    hidden = hide(run_of(metadata={"usage_metadata": usage}), Hiding(metadata=True))
    assert hidden.metadata == {"usage_metadata": {"input_tokens": 2}}


@pytest.mark.parametrize("outputs", [None, {}])
def test_a_run_without_outputs_does_not_get_any(outputs: Any) -> None:
    assert hide(run_of(outputs=outputs), Hiding(outputs=True)).outputs == outputs


def test_nothing_to_hide_changes_nothing() -> None:
    run = run_of()
    assert hide(run, Hiding()) is run


def test_a_name_that_says_what_somebody_said_is_the_spans_again() -> None:
    run = run_of(name=f"hello {CANARY}", metadata={"otel.span.name": "hello {name}"})
    assert hide(run, Hiding(inputs=True)).name == "hello {name}"
    assert hide(run, Hiding(metadata=True)).name == run.name


KEY = "sk-proj-abc123DEF456ghi789JKL012mno345PQR678"


def full(text: str) -> Run:
    """A run with the text wherever one can stand."""
    return run_of(
        name=f"chat {text}",
        inputs={"messages": [{"role": "user", "content": text}], text: 1, "raw": text.encode()},
        outputs={"output": (text, {"deep": [text]})},
        error=f"ValueError: {text}",
        error_type="ValueError",
        events=({"name": text, "time": "t", "kwargs": {"k": text}},),
        metadata={"otel.links": [{"attributes": {"k": text}}], "odd": {text}, "usage_metadata": {}},
        invocation_params={"model": text},
        tags=(text,),
        attachments=(Attachment(text, "text/plain", text.encode()),),
    )


def test_secrets_are_taken_out_of_everything() -> None:
    guarded = Guard(redact=secrets)(full(KEY))
    assert KEY not in told(guarded)
    assert guarded.name == "chat [redacted]"
    assert guarded.attachments[0].data == b"[redacted]"


def test_secrets_are_known_by_the_name_they_stand_under() -> None:
    run = run_of(inputs={"password": "hunter2", "headers": {"Authorization": ["x"]}, "n": 1})
    assert Guard(redact=secrets)(run).inputs == {
        "password": "[redacted]",
        "headers": {"Authorization": "[redacted]"},
        "n": 1,
    }


def test_secrets_leave_the_rest_alone() -> None:
    run = run_of(
        inputs={"q": "Capital?", "max_tokens": 5},
        outputs={"a": [1, None, True, 0.5]},
        metadata={"usage_metadata": {"input_tokens": 5}, "thread_id": "thread-7"},
        events=[{"name": "new_token", "time": "t"}],
        tags=["beta"],
        attachments=(Attachment("image", "image/png", b"\x89PNG\xff"),),
    )
    assert Guard(redact=secrets)(run) == run


def test_redact_gets_a_copy_in_the_form_it_would_be_sent_in() -> None:
    held: dict[str, Any] = {"blob": b"text", "nan": float("nan"), "deep": [{}]}
    run = run_of(inputs=held)

    def redact(content: dict[str, Any]) -> dict[str, Any]:
        assert content["inputs"] == {"blob": "text", "nan": "NaN", "deep": [{}]}
        content["inputs"]["deep"][0]["more"] = 1
        return content

    assert Guard(redact=redact)(run).inputs["deep"] == [{"more": 1}]
    assert held["deep"] == [{}]


def test_what_redact_leaves_out_is_withheld() -> None:
    run = Guard(redact=lambda _: {"inputs": {"q": 1}})(full("hello"))
    assert (run.inputs, run.outputs, run.metadata) == ({"q": 1}, None, {})
    assert (run.name, run.error, run.tags, run.attachments) == ("run", "error", [], ())
    assert run.notes == ()


def fail(_: Any) -> Any:
    raise ZeroDivisionError(CANARY)


@pytest.mark.parametrize(
    "redact",
    [
        fail,
        lambda _: None,
        lambda _: CANARY,
        lambda content: {**content, "inputs": CANARY},
        lambda content: {**content, "name": [CANARY]},
        lambda content: {**content, "events": [CANARY]},
        lambda content: {**content, "tags": 5},
        lambda content: {**content, "attachments": [{"name": CANARY}]},
        texts(fail),
    ],
)
def test_a_redact_that_fails_lets_no_content_through(redact: Any) -> None:
    run = Guard(redact=redact)(full(CANARY))
    assert CANARY not in told(run)
    assert run.notes == (REDACTION_FAILED,)
    assert run.error == "error"
    assert run.metadata["otel_langsmith.notes"] == [REDACTION_FAILED]


def test_what_is_hidden_redact_does_not_see() -> None:
    seen: list[Any] = []
    Guard(Hiding(inputs=True), lambda content: seen.append(content["inputs"]) or content)(
        full(CANARY)
    )
    assert seen == [{}]
