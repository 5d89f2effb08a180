"""One model call that was traced twice counts once, whoever saw it and in whatever order."""

import gc
import weakref
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.captures import lineages, load, named

from otel_langsmith.identity import STAMP_LENGTH
from otel_langsmith.run import Run
from otel_langsmith.translate import translate
from otel_langsmith.twice import AHEAD, REMEMBERED, SAME_CALL, Twice

NATIVE = "com.anthropic.sdk.python"
ANSWERED = {"response_id": "one"}


def uuid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def run(number: int, *above: int, run_type: Any = "chain", **said: Any) -> Run:
    """A run with its ancestors, topmost first."""
    ids = [uuid(one) for one in (*above, number)]
    return Run(
        id=ids[-1],
        trace_id=ids[0],
        parent_run_id=ids[-2] if above else None,
        dotted_order=".".join("0" * STAMP_LENGTH + one for one in ids),
        name=f"run {number}",
        run_type=run_type,
        start_time_ns=said.pop("start", 0),
        end_time_ns=said.pop("end", 10),
        **said,
    )


def call(number: int, *above: int, **said: Any) -> Run:
    """A model call, with content and tokens unless they are given as empty."""
    tokens = said.pop("tokens", (120, 30))
    metadata = {"otel.scope.name": said.pop("scope", f"scope {number}"), **said.pop("metadata", {})}
    if tokens:
        read, written = tokens
        details = said.pop("details", {})
        metadata["usage_metadata"] = {
            "input_tokens": read,
            "output_tokens": written,
            "total_tokens": read + written,
            **({"input_token_details": details} if details else {}),
        }
    content = {"inputs": {"messages": ["?"]}, "outputs": {"messages": ["!"]}}
    if said.pop("bare", False):
        content = {"inputs": {}, "outputs": {}}
    return run(number, *above, **{"run_type": "llm", "metadata": metadata, **content, **said})


def once(runs: Iterable[Run], twice: Twice | None = None) -> dict[str, Run]:
    found = (twice or Twice()).once([(None, one)] for one in runs)
    return {one.name: one for ((_, one),) in found}


def counting(runs: Iterable[Run]) -> list[str]:
    """Who counts; the others are chains that name one of these and have no usage."""
    found = once(runs)
    names = {one.id: name for name, one in found.items()}
    winners = [name for name, one in found.items() if one.run_type in ("llm", "embedding")]
    for one in found.values():
        if one.run_type == "chain" and SAME_CALL in one.metadata:
            assert names[one.metadata[SAME_CALL]] in winners
            assert "usage_metadata" not in one.metadata
    return winners


OUTER, INNER = call(1), call(2, 1)


@pytest.mark.parametrize(
    ("runs", "winners"),
    [
        ([INNER, OUTER], ["run 2"]),
        ([OUTER, INNER], ["run 2"]),
        ([call(2, 1, bare=True), OUTER], ["run 1"]),
        ([INNER, call(1, tokens=())], ["run 2"]),
        ([call(2, 1, tokens=()), OUTER], ["run 1"]),
        ([call(2, 1, scope=NATIVE), OUTER], ["run 1"]),
        # three saw it
        ([call(3, 1, 2, bare=True), INNER, OUTER], ["run 2"]),
        ([call(3, 1, 2, bare=True), call(2, 1, tokens=()), OUTER], ["run 1"]),
        # steps in between change nothing, but a tool makes calls of its own
        ([call(3, 1, 2), run(2, 1), OUTER], ["run 3"]),
        ([call(3, 1, 2), run(2, 1, run_type="tool"), OUTER], ["run 3", "run 1"]),
        ([OUTER, run(2, 1, run_type="tool"), call(3, 1, 2)], ["run 1", "run 3"]),
        # a call of several calls sums them up; a failed attempt is not one of them
        ([call(2, 1, end=4), call(3, 1, start=5), OUTER], ["run 2", "run 3"]),
        ([call(2, 1, tokens=(), bare=True), call(3, 1), OUTER], ["run 2", "run 3"]),
        # an embedding is no chat
        ([call(2, 1, run_type="embedding"), OUTER], ["run 2", "run 1"]),
    ],
)
def test_of_two_in_one_branch_one_counts(runs: list[Run], winners: list[str]) -> None:
    assert counting(runs) == winners


BESIDE = call(2, 9, start=1, end=9)


@pytest.mark.parametrize(
    ("inner", "outer", "winners"),
    [
        (BESIDE, call(1, 9), ["run 1"]),
        (BESIDE, call(1, 9, 8), ["run 1"]),
        (BESIDE, call(1, 9, bare=True), ["run 2"]),
        # a trace of its own, for nobody told it whose child it is: only the response proves it
        (call(2, start=1, metadata=ANSWERED), call(1, 9, 8, metadata=ANSWERED), ["run 1"]),
        (call(2, start=1, metadata=ANSWERED), call(1, metadata=ANSWERED), ["run 1"]),
        (call(2, start=1), call(1, 9, 8), ["run 2", "run 1"]),
        (call(2, start=1), call(1), ["run 2", "run 1"]),
        # who counts a stream himself counts otherwise
        (
            call(2, start=1, tokens=(120, 31), metadata=ANSWERED),
            call(1, metadata=ANSWERED),
            ["run 1"],
        ),
        (call(2, start=1, tokens=(), metadata=ANSWERED), call(1, metadata=ANSWERED), ["run 1"]),
        # an answer is often of a dated version of the model
        (
            call(2, 9, start=1, metadata={"ls_model_name": "gpt-4o-mini"}),
            call(1, 9, metadata={"ls_model_name": "gpt-4o-mini-2024-07-18"}),
            ["run 1"],
        ),
        # these are two calls
        (call(2, 9, start=1, end=11), call(1, 9), ["run 2", "run 1"]),
        (call(2, 7, start=1), call(1, 9), ["run 2", "run 1"]),
        (call(2, 9, start=1, tokens=(120, 31)), call(1, 9), ["run 2", "run 1"]),
        (call(2, 9, start=1, scope="same"), call(1, 9, scope="same"), ["run 2", "run 1"]),
        (call(2, 9, start=1, tokens=()), call(1, 9, tokens=()), ["run 2", "run 1"]),
        (
            call(2, 9, start=1, metadata={"ls_model_name": "gpt-4o-mini"}),
            call(1, 9, metadata={"ls_model_name": "claude-sonnet-4-5"}),
            ["run 2", "run 1"],
        ),
        (
            call(2, 9, start=1, metadata={"response_id": "one"}),
            call(1, 9, metadata={"response_id": "other"}),
            ["run 2", "run 1"],
        ),
    ],
)
def test_of_two_beside_each_other_one_counts(inner: Run, outer: Run, winners: list[str]) -> None:
    assert counting([inner, outer]) == winners


def test_each_of_many_parallel_calls_is_paired_with_one() -> None:
    outer = [call(number, 99, start=0, end=10, scope="chain") for number in range(10)]
    inner = [call(number, 99, start=1, end=9, scope="client") for number in range(10, 20)]
    assert len(counting([*inner, *outer])) == 10
    assert len(counting([*inner, *outer[:4]])) == 10
    assert len(counting([*inner[:4], *outer])) == 10


def test_what_only_the_other_one_says_is_united() -> None:
    native = call(
        2,
        1,
        bare=True,
        metadata={"response_id": "msg_1", "ls_provider": "anthropic", "own": 1},
        details={"cache_creation": 36, "ephemeral_5m_input_tokens": 36},
        invocation_params={"max_tokens": 64, "model": "claude"},
        events=[{"name": "new_token", "time": "now"}],
    )
    outer = call(1, details={"cache_read": 64}, invocation_params={"model": "claude-sonnet"})
    found = once([native, outer])
    assert found["run 1"].metadata == {
        "otel.scope.name": "scope 1",
        "response_id": "msg_1",
        "ls_provider": "anthropic",
        "usage_metadata": {
            "input_tokens": 120,
            "output_tokens": 30,
            "total_tokens": 150,
            "input_token_details": {
                "cache_read": 64,
                "cache_creation": 36,
                "ephemeral_5m_input_tokens": 36,
            },
        },
    }
    assert found["run 1"].invocation_params == {"model": "claude-sonnet", "max_tokens": 64}
    assert found["run 1"].events == [{"name": "new_token", "time": "now"}]
    step = found["run 2"]
    assert (step.run_type, step.metadata["own"]) == ("chain", 1)
    assert step.metadata["aggregated_usage"]["total_tokens"] == 150
    assert step.metadata[SAME_CALL] == uuid(1)


def test_content_and_tokens_come_together_from_both() -> None:
    tokens = call(2, 1, bare=True)
    words = call(1, tokens=(), outputs={})
    kept = once([tokens, words])["run 1"]
    assert (kept.inputs, kept.run_type) == ({"messages": ["?"]}, "llm")
    assert kept.metadata["usage_metadata"]["total_tokens"] == 150


def test_a_run_that_was_sent_counts_and_what_comes_later_gives_way() -> None:
    twice = Twice()
    first = call(2, 1, bare=True)
    assert once([first], twice) == {"run 2": first}
    assert once([call(1)], twice)["run 1"].run_type == "chain"
    later = call(3, 1, start=1)
    assert once([later], twice)["run 3"].run_type == "llm"  # run 1 does not count, so this does


def test_a_call_is_forgotten_after_many_others() -> None:
    twice = Twice()
    others = [call(number, number + 10_000) for number in range(10, 10 + REMEMBERED)]
    once([INNER, *others], twice)
    assert once([OUTER], twice)["run 1"].run_type == "llm"


@pytest.mark.parametrize(
    ("first", "second"),
    [(INNER, OUTER), (OUTER, INNER), (call(1, metadata=ANSWERED), call(2, metadata=ANSWERED))],
)
def test_a_call_is_remembered_while_half_as_many_others_come(first: Run, second: Run) -> None:
    twice = Twice()
    others = [call(number, number + 10_000) for number in range(10, 9 + REMEMBERED // 2)]
    once([first, *others], twice)
    assert once([second], twice)[second.name].metadata[SAME_CALL] == first.id


def test_what_is_remembered_is_bounded_even_of_one_call_told_over_and_over() -> None:
    twice = Twice()
    seen = [weakref.ref(made) for made in map(_remembered, [twice] * 2 * REMEMBERED)]
    gc.collect()
    assert sum(made() is not None for made in seen) <= REMEMBERED + 1


def _remembered(twice: Twice) -> "Watched":
    """A user of whom only a call that is remembered still knows."""
    user = Watched()
    once([call(1, 2, metadata={"user_id": user})], twice)
    return user


def test_runs_before_a_call_do_not_wait_for_it() -> None:
    """Nothing is read ahead while no model call waits to be told of."""
    read: list[int] = []

    def reading() -> Iterable[list[tuple[None, Run]]]:
        for number in range(3):
            read.append(number)
            yield [(None, run(number))]

    next(iter(Twice().once(reading())))
    assert read == [0]


def test_a_delivery_that_breaks_off_leaves_no_content_behind() -> None:
    twice, content = Twice(), {"messages": [Watched()]}
    watched = weakref.ref(content["messages"][0])
    runs = twice.once([(None, call(one, inputs=content))] for one in (1, 3))
    next(runs)
    runs.close()
    content.clear()
    gc.collect()
    assert watched() is None


class Watched:
    """Content that tells when it is gone."""


@st.composite
def forests(draw: st.DrawFn, scopes: str = "ab") -> list[Run]:
    """Runs with ancestors among each other, in any order."""
    paths: list[tuple[int, ...]] = []
    for number in range(draw(st.integers(1, 12))):
        above = draw(st.sampled_from([(), *paths]))
        paths.append((*above, number))
    made = []
    for path in draw(st.permutations(paths)):
        kind = draw(st.sampled_from(["llm", "llm", "embedding", "tool", "chain"]))
        start = draw(st.integers(0, 3))
        said: dict[str, Any] = {"start": start, "end": start + draw(st.integers(0, 3))}
        if kind in ("llm", "embedding"):
            said |= {"tokens": draw(st.sampled_from([(), (1, 2), (3, 4)]))}
            said |= {"bare": draw(st.booleans()), "scope": draw(st.sampled_from(scopes))}
            made.append(call(path[-1], *path[:-1], run_type=kind, **said))
        else:
            made.append(run(path[-1], *path[:-1], run_type=kind, **said))
    return made


@given(forests(), st.integers(0, 12))
def test_no_run_is_lost_and_whoever_gives_way_names_another(made: list[Run], cut: int) -> None:
    """In one delivery or two."""
    twice = Twice()
    found = [
        one
        for part in (made[:cut], made[cut:])
        for ((_, one),) in twice.once([(None, one)] for one in part)
    ]
    assert [one.id for one in found] == [one.id for one in made]
    by_id = {one.id: one for one in found}
    for before, after in zip(made, found, strict=True):
        if SAME_CALL in after.metadata:
            assert after.run_type == "chain"
            assert "usage_metadata" not in after.metadata
            assert after.metadata[SAME_CALL] in by_id
            assert after.metadata[SAME_CALL] != after.id
        else:
            assert after.run_type == before.run_type
            assert before.inputs in ({}, after.inputs)


def in_deliveries(twice: Twice, made: list[Run], cut: int, size: int) -> list[Run]:
    """What becomes of runs that come in two deliveries, so many to a block."""
    blocks = (
        [[(None, one) for one in part[at : at + size]] for at in range(0, len(part), size)]
        for part in (made[:cut], made[cut:])
    )
    return [one for part in blocks for block in twice.once(part) for _, one in block]


@given(forests(), st.integers(0, 12), st.integers(2, 12))
def test_runs_fare_the_same_in_blocks_of_any_size(made: list[Run], cut: int, size: int) -> None:
    assert in_deliveries(Twice(), made, cut, size) == in_deliveries(Twice(), made, cut, 1)


@given(forests(scopes="a"), st.integers(0, 12), st.integers(1, 12))
def test_that_calls_are_not_compared_makes_no_difference(
    made: list[Run], cut: int, size: int
) -> None:
    """As they are not while all are of one instrumentation and none hangs beneath another."""
    comparing = Twice()
    once([call(98, tokens=(98, 1), scope="a"), call(99, tokens=(99, 1), scope="b")], comparing)
    expected = in_deliveries(comparing, made, cut, size)
    assert in_deliveries(Twice(), made, cut, size) == expected


def test_calls_met_before_a_second_instrumentation_is_are_told_apart_from_its_own() -> None:
    twice = Twice()
    first = call(2, 9, start=1, end=9, scope="a", metadata=ANSWERED)
    in_deliveries(
        twice, [first, *(call(one, 9, tokens=(one, 1), scope="a") for one in (3, 4))], 3, 3
    )
    second = once([call(1, 9, scope="b", metadata=ANSWERED)], twice)["run 1"]
    assert second.metadata[SAME_CALL] == first.id


def test_a_block_in_which_every_call_counts_comes_back_as_it_is() -> None:
    blocks = [[(None, call(one, 9, scope="a")), (None, run(one + 1))] for one in (1, 3)]
    told = [*Twice().once(blocks)]
    assert all(before is after for before, after in zip(blocks, told, strict=True))


def test_a_block_waits_for_as_many_runs_after_it_and_no_longer() -> None:
    read = 0

    def reading() -> Iterable[list[tuple[None, Run]]]:
        nonlocal read
        for number in range(0, 2 * AHEAD, 64):
            read += 64
            yield [(None, run(one)) for one in range(number + 1, number + 64)] + [
                (None, call(number + 64))
            ]

    assert len(next(iter(Twice().once(reading())))) == 64
    assert read == 64 + AHEAD


class Incomparable:
    """As an array is, which a span made by hand may have anywhere."""

    def __eq__(self, other: object) -> bool:
        raise TypeError

    __hash__ = None


@pytest.mark.parametrize(
    "odd",
    [
        {"scope": Incomparable()},
        {"metadata": {"thread_id": Incomparable()}},
        {"tokens": (), "metadata": {"usage_metadata": Incomparable()}},
        {"tokens": (), "metadata": {"usage_metadata": {"input_tokens": Incomparable()}}},
    ],
)
def test_calls_that_cannot_be_compared_cost_no_run_and_no_memory(odd: dict[str, Any]) -> None:
    """Beneath one another and beside each other, over and over."""
    twice = Twice()
    for number in range(0, REMEMBERED, 4):
        within = {"start": 2, "end": 3}
        made = [
            call(number, scope="a"),
            call(number + 1, number, **odd, **within),
            call(number + 2, REMEMBERED, **{"scope": "b", **odd}, **within),
            call(number + 3, REMEMBERED, **{"scope": "c", **odd}),
        ]
        found = in_deliveries(twice, made, 2, 2)
        assert [one.id for one in found] == [one.id for one in made]
        assert (found[0].inputs, found[-1].inputs) == (made[0].inputs, made[-1].inputs)
    assert len(twice._young.calls) <= REMEMBERED


def test_no_content_passes_from_one_trace_to_another() -> None:
    """They may be two users', and a gateway may give both the same answer."""
    bare = call(2, start=1, bare=True, metadata=ANSWERED)
    told = once([bare, call(1, metadata={**ANSWERED, "thread_id": "theirs"})])
    assert told["run 2"].run_type == "chain"
    assert (told["run 2"].inputs, told["run 2"].outputs) == ({}, {})
    assert "thread_id" not in told["run 2"].metadata


@pytest.mark.parametrize("name", ["thread_id", "user_id"])
def test_calls_of_two_owners_are_two_calls(name: str) -> None:
    ours, theirs = {**ANSWERED, name: "ours"}, {**ANSWERED, name: "theirs"}
    told = once([call(2, 9, start=1, metadata=ours), call(1, 9, metadata=theirs)])
    assert [one.run_type for one in told.values()] == ["llm", "llm"]


@pytest.mark.parametrize(
    ("capture", "winners"),
    {
        "oi_anthropic__chat": ["messages.create"],
        "oi_anthropic__error429": ["messages.create"],
        # a trace of its own, and no id of a response: it cannot be known
        "oi_anthropic__stream_manager": ["messages.stream", "anthropic.messages.create"],
        "oi_anthropic__tool_round": ["messages.create"] * 2,
        "oi_langchain__anthropic": ["ChatAnthropic", "anthropic.messages.create"] * 2,
        "official_genai_anthropic_span_and_event__stream": ["chat claude-sonnet-4-5"],
        "traceloop_langchain__anthropic": ["ChatAnthropic.chat"] * 2,
        "web__double_instrumented": ["ChatCompletion"],
        "oi_llama_index__rag": ["OpenAIEmbedding.get_query_embedding", "OpenAI.chat"],
        # one call each, although they overlap
        "traceloop_langchain__async_parallel": ["ChatOpenAI.chat"] * 3,
    }.items(),
)
def test_captured_calls_count_once(capture: str, winners: list[str]) -> None:
    spans = load(named(capture))
    runs = [translate(span, line) for span, line in zip(spans, lineages(spans), strict=True)]
    ((*told,),) = Twice().once([[(None, one) for one in runs]])
    found = [one for _, one in told]
    assert [one.name for one in found if one.run_type in ("llm", "embedding")] == winners
