"""`wire.isolate` and `wire.shorten`: what is refused is found, what is too large made smaller."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.posts import run

from otel_langsmith.identity import run_id_of
from otel_langsmith.run import Attachment
from otel_langsmith.wire import basic
from otel_langsmith.wire.batch import Batch, EncodedRun
from otel_langsmith.wire.isolate import taken_apart
from otel_langsmith.wire.parts import (
    ERROR,
    INPUTS,
    MAIN,
    OUTPUTS,
    Parts,
    closing,
    parts_of,
    size_of,
)
from otel_langsmith.wire.reply import Reply
from otel_langsmith.wire.shorten import (
    MOST_CUTS,
    WORTH_CUTTING,
    shortened,
    without_attachments,
)

LARGE = 'ä\n"' * 50_000


def parts(number: int = 1, **fields: Any) -> Parts:
    return parts_of(run(number, **fields))


def batch(*numbers: int, **fields: Any) -> Batch:
    runs = [EncodedRun(run_id_of(n), parts(n, **fields)) for n in numbers]
    return Batch(runs, sum(size_of(run.parts) for run in runs))


def ids(batches: Sequence[Batch]) -> list[list[int]]:
    return [[int(run.run_id[-12:], 16) for run in one.runs] for one in batches]


def fields_of(sent: Parts) -> dict[str, Any]:
    return {field[1:]: json.loads(body) for field, body in sent.items()}


@pytest.mark.parametrize(
    "text",
    [
        f"error parsing run for post.{run_id_of(3)}: schema validation failed",
        f"error parsing run for patch.{run_id_of(3)}.inputs",
        f"trace_id {run_id_of(1)} does not match, run_id:{run_id_of(3)} trace_id:{run_id_of(1)}",
        f"Run at parent_run_id:{run_id_of(2)} dotted_order: x.{run_id_of(1)} run_id:{run_id_of(3)}",
        f'{{"detail": {{"run_id": "{run_id_of(3)}"}}}}',
    ],
)
def test_a_run_that_the_error_names_is_taken_out(text: str) -> None:
    apart = taken_apart(batch(1, 2, 3, 4), Reply(422, text=text))
    assert ids(apart) == [[3], [1, 2, 4]]
    assert [one.accused for one in apart] == [True, False]
    assert ids(taken_apart(batch(1, 2, 3, 4), Reply(422, text=text), believed=False)) == [
        [1, 2],
        [3, 4],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"trace_id {run_id_of(1)} is unknown, parent_run_id:{run_id_of(2)}",
        f"post.{run_id_of(1)} and post.{run_id_of(2)}",
        f"post.{run_id_of(99)}",
        "<html>413 Request Entity Too Large</html>",
    ],
)
def test_an_error_that_names_none_or_several_halves(text: str) -> None:
    assert ids(taken_apart(batch(1, 2, 3), Reply(400, text=text))) == [[1], [2, 3]]


@given(
    st.dictionaries(
        st.sampled_from(["inputs", "outputs", "metadata"]),
        st.dictionaries(st.text(max_size=9), st.text(max_size=50).map(lambda t: t * 3_000)),
    ),
    st.text().map(lambda text: text * 5_000) | st.none(),
)
def test_a_run_is_cut_twice_at_most_and_what_is_left_is_small(
    contents: dict[str, Any], error: str | None
) -> None:
    whole = parts(error=error, **contents)
    large = [body for body in whole.values() if len(body) > WORTH_CUTTING]
    alone = Batch([EncodedRun("1", whole)], 0)
    steps = 0
    while following := taken_apart(alone, Reply(413)):
        (alone,) = following
        steps += 1
    assert steps == min(len(large), MOST_CUTS)
    sent = alone.runs[0].content
    assert sum(len(body) > WORTH_CUTTING for body in sent.values()) == len(large) - steps
    assert alone.runs[0].parts == whole
    assert [*sent] == [*whole]
    assert all(json.loads(body) is not None for body in sent.values())


def test_what_was_cut_is_told_in_the_metadata() -> None:
    metadata = {"kept": 1, "otel_langsmith.notes": ["clamped"]}
    whole = parts(inputs={"text": LARGE}, outputs={"text": LARGE * 2}, metadata=metadata)
    sent = fields_of(shortened(whole, 2))
    assert sent["inputs"]["truncated"].startswith('{"text":"ä\\n')
    assert sent["outputs"]["truncated"].startswith('{"text":"ä\\n')
    assert sent["extra"]["metadata"] == {
        "kept": 1,
        "otel_langsmith.notes": ["clamped", "truncated", "truncated"],
        "otel_langsmith.truncated": {
            "inputs": len(whole[INPUTS]),
            "outputs": len(whole[OUTPUTS]),
        },
    }


@pytest.mark.parametrize(
    ("fields", "field", "expected"),
    [
        ({"error": LARGE}, "error", lambda cut: LARGE.startswith(cut) and len(cut) > 8_000),
        ({"events": [{"name": LARGE}]}, "events", lambda cut: cut == []),
        ({"metadata": {"a": LARGE, "b": 1}}, "extra", lambda cut: cut["metadata"]["b"] == 1),
        ({"metadata": {"a": [LARGE]}}, "extra", lambda cut: len(cut["metadata"]["a"]) == 256),
    ],
)
def test_every_field_is_cut_to_what_it_may_be(
    fields: dict[str, Any], field: str, expected: Callable[[Any], bool]
) -> None:
    sent = shortened(parts(**fields), 1)
    assert expected(fields_of(sent)[field])
    assert max(map(len, sent.values())) <= WORTH_CUTTING


def test_attachments_go_together() -> None:
    attachments = [Attachment(f"picture {n}", "image/png", b"x" * 60_000) for n in range(3)]
    sent = shortened(parts(attachments=attachments, inputs={"a": LARGE[:70_000]}), 1)
    told = fields_of(sent)["extra"]["metadata"]
    assert told["otel_langsmith.truncated"] == {"attachments": 180_000}
    assert all(isinstance(field, str) for field in sent)


def test_plain_json_names_the_attachments_it_cannot_hold() -> None:
    attachments = [Attachment("a picture", "image/png", b"x"), Attachment("b", "image/png", b"y")]
    sent = without_attachments(parts(attachments=attachments))
    told = fields_of(sent)["extra"]["metadata"]
    assert told["otel_langsmith.attachments_left_out"] == ["a picture", "b"]
    assert without_attachments(parts()) == parts()


def test_many_runs_are_one_object_of_posts_and_patches() -> None:
    message = basic.encode_batch(
        [("post", "1", parts(1)), ("patch", "2", parts(2)), ("post", "3", parts(3))]
    )
    told = json.loads(message.data)
    assert {key: [run["id"] for run in runs] for key, runs in told.items()} == {
        "post": [run_id_of(1), run_id_of(3)],
        "patch": [run_id_of(2)],
    }
    assert (message.method, message.path) == ("POST", "/runs/batch")


def test_a_run_without_metadata_is_cut_all_the_same() -> None:
    whole = parts()
    sent = shortened(closing(whole[MAIN], LARGE), 1)
    assert [*sent] == [MAIN, ERROR]
    assert len(sent[ERROR]) < WORTH_CUTTING
