"""`lineage`: a run's place in its tree keeps every rule of LangSmith's, and equals its SDK's."""

import random
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langsmith.run_trees import RunTree
from support.spans import START, context, span

from otel_langsmith.identity import parse_dotted_order, run_id_of
from otel_langsmith.lineage import (
    CALLER_TRACE_ID,
    MAX_DEPTH,
    OVERRIDE_IGNORED,
    START_CLAMPED,
    TIME_UNWRITABLE,
    TOO_DEEP,
    Lineage,
    Riding,
    child,
    claimed,
    of_span,
    root,
)
from otel_langsmith.receiver.dotted_order import Kin, kinship_problem
from otel_langsmith.tracking import find, hang

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SDK_ROOT = "019b7cbc-f1ae-7000-8000-000000000001"
SDK_CHILD = "019b7cbc-f1af-7000-8000-000000000002"
SDK_ORDER = f"20260102T030405678901Z{SDK_ROOT}"


def moment(time_ns: int) -> datetime:
    return EPOCH + timedelta(microseconds=time_ns // 1000)


def sdk_root(start_ns: int, run_id: str) -> RunTree:
    return RunTree(name="r", id=UUID(run_id), start_time=moment(start_ns), project_name="p")


def random_tree(seed: int, nodes: int) -> list[tuple[int, int | None, int]]:
    """(span id, parent's index or None, start) in an order in which parents come first.

    Starts are drawn near each other: equal, before the parent's, just below a microsecond.
    """
    draw = random.Random(seed)
    tree: list[tuple[int, int | None, int]] = [(draw.getrandbits(64) or 1, None, START)]
    for index in range(1, nodes):
        parent = draw.randrange(max(0, index - 20), index)
        jump = draw.choice([0, 0, 1, 999, 1000, 1_000_000, -1, -1_000, -3_600_000_000_000])
        tree.append((draw.getrandbits(64) or 1, parent, tree[parent][2] + jump))
    return tree


@pytest.mark.parametrize(("seed", "nodes"), [(seed, 60) for seed in range(20)] + [(99, 2_000)])
def test_dotted_orders_equal_those_of_the_langsmith_sdk(
    seed: int, nodes: int, caplog: pytest.LogCaptureFixture
) -> None:
    ours: list[Lineage] = []
    theirs: list[RunTree] = []
    for span_id, parent, start in random_tree(seed, nodes):
        run_id = run_id_of(span_id)
        if parent is None:
            ours.append(root(run_id, start))
            theirs.append(sdk_root(start, run_id))
        else:
            ours.append(child(ours[parent], run_id, start))
            theirs.append(
                theirs[parent].create_child(name="c", run_id=UUID(run_id), start_time=moment(start))
            )
    assert [lineage.dotted_order for lineage in ours] == [run.dotted_order for run in theirs]
    assert [lineage.trace_id for lineage in ours] == [str(run.trace_id) for run in theirs]
    assert [lineage.parent_run_id for lineage in ours] == [
        str(run.parent_run_id) if run.parent_run_id else None for run in theirs
    ]


@given(st.lists(st.tuples(st.integers(1, 2**64 - 1), st.integers()), min_size=1, max_size=30))
def test_a_chain_of_any_spans_keeps_every_invariant(chain: list[tuple[int, int]]) -> None:
    lineage: Lineage | None = None
    for span_id, start in chain:
        above, lineage = lineage, of_span(span_id, start, lineage, {})
        segments = parse_dotted_order(lineage.dotted_order)
        assert segments is not None
        assert segments[0][1] == lineage.trace_id
        assert segments[-1][1] == lineage.run_id == run_id_of(span_id)
        assert lineage.parent_run_id == (above.run_id if above else None)
        assert lineage.parent_run_id == (segments[-2][1] if above else None)
        assert lineage.dotted_order.startswith(above.dotted_order if above else "")


IDS = st.one_of(st.sampled_from((SDK_ROOT, SDK_CHILD.upper(), "mine")), st.integers())
ORDERS = st.sampled_from((SDK_ORDER, f"{SDK_ORDER}.{SDK_ORDER}", SDK_ORDER.upper(), "mine"))
SAYING = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("langsmith.span.id", "langsmith.trace.id"), IDS),
        "langsmith.span.parent_id": IDS,
        "langsmith.span.dotted_order": ORDERS,
        "langsmith.trace.session_id": IDS,
        "session.id": st.text(max_size=3),
    },
)


@given(st.lists(st.tuples(st.integers(1, 2**64 - 1), st.integers(), SAYING), max_size=9))
def test_whatever_spans_say_of_their_ids_langsmith_takes_them(
    chain: list[tuple[int, int, dict[str, Any]]],
) -> None:
    """By the rules of the receiver, which share nothing with ours: the wire checks no more."""
    lineage: Lineage | None = None
    for span_id, start, attributes in chain:
        lineage = of_span(span_id, start, lineage, attributes)
        kin = Kin(lineage.run_id, lineage.trace_id, lineage.parent_run_id)
        assert kinship_problem(lineage.dotted_order, kin, is_patch=False) is None


def test_a_child_that_starts_before_its_parent_is_raised_and_noted() -> None:
    parent = root(run_id_of(1), START)
    early = child(parent, run_id_of(2), START - 1_000_000)
    assert early.stamp == parent.stamp
    assert early.notes == (START_CLAMPED,)
    assert child(parent, run_id_of(2), START).notes == ()


def test_a_start_outside_the_calendar_is_noted() -> None:
    assert of_span(1, -5, None, {}).notes == (TIME_UNWRITABLE,)
    assert of_span(1, -5, None, {}).stamp == "19700101T000000000000Z"


def test_a_stated_dotted_order_says_everything() -> None:
    stated = f"{SDK_ORDER}.20260102T030405679901Z{SDK_CHILD}"
    lineage = of_span(7, START, root(run_id_of(1), START), {"langsmith.span.dotted_order": stated})
    assert lineage == Lineage(SDK_ROOT, SDK_CHILD, SDK_ROOT, stated)


def test_a_span_may_choose_its_run_id_and_its_children_follow() -> None:
    parent = of_span(7, START, None, {"langsmith.span.id": SDK_ROOT.upper()})
    assert (parent.run_id, parent.trace_id, parent.notes) == (SDK_ROOT, SDK_ROOT, ())
    assert of_span(8, START, parent, {}).parent_run_id == SDK_ROOT


def test_a_root_may_choose_its_trace_id() -> None:
    lineage = of_span(7, START, None, {"langsmith.trace.id": SDK_ROOT})
    assert (lineage.run_id, lineage.trace_id, lineage.notes) == (SDK_ROOT, SDK_ROOT, ())


@pytest.mark.parametrize(
    "attributes",
    [
        {"langsmith.span.id": "hello"},
        {"langsmith.trace.id": "hello"},
        {"langsmith.trace.id": 7},
        {"langsmith.span.parent_id": SDK_ROOT},
        {"langsmith.span.dotted_order": "hello"},
        {"langsmith.span.dotted_order": 7},
        pytest.param({"langsmith.span.id": 10**5000}, id="an id nobody can write"),
        pytest.param({"langsmith.trace.session_name": 10**5000}, id="a project nobody can write"),
        pytest.param({"langsmith.trace.session_name": "p" * 1_025}, id="a project nobody can name"),
        {"langsmith.trace.session_id": "mine"},
        {"langsmith.span.dotted_order": f"20260102T030405678Z{SDK_ROOT}"},
    ],
)
def test_an_unusable_override_is_ignored_and_noted(attributes: dict[str, Any]) -> None:
    lineage = of_span(7, START, None, attributes)
    assert (lineage.run_id, lineage.parent_run_id) == (run_id_of(7), None)
    assert OVERRIDE_IGNORED in lineage.notes


def test_a_trace_id_that_contradicts_the_tree_is_ignored_and_noted() -> None:
    lineage = of_span(7, START, root(run_id_of(1), START), {"langsmith.trace.id": SDK_ROOT})
    assert lineage.trace_id == run_id_of(1)
    assert lineage.notes == (OVERRIDE_IGNORED,)


def test_overrides_that_only_repeat_the_tree_are_no_news() -> None:
    attributes = {"langsmith.span.parent_id": run_id_of(1), "langsmith.trace.id": run_id_of(1)}
    assert of_span(7, START, root(run_id_of(1), START), attributes).notes == ()


def test_the_project_of_a_span_is_that_of_everything_below_it() -> None:
    parent = of_span(1, START, None, {"langsmith.trace.session_name": "mine"})
    assert of_span(2, START, parent, {}).riding.project == "mine"
    assert (
        of_span(2, START, parent, {"langsmith.trace.session_name": "other"}).riding.project
        == "other"
    )
    by_id = of_span(1, START, None, {"langsmith.trace.session_id": SDK_ROOT})
    assert of_span(2, START, by_id, {}).riding.project_id == SDK_ROOT


def test_an_unusable_project_id_does_not_erase_the_inherited_one() -> None:
    parent = of_span(1, START, None, {"langsmith.trace.session_id": SDK_ROOT})
    lineage = of_span(2, START, parent, {"langsmith.trace.session_id": "mine"})
    assert (lineage.riding.project_id, lineage.notes) == (SDK_ROOT, (OVERRIDE_IGNORED,))


def test_beyond_the_greatest_depth_a_trace_of_its_own_begins() -> None:
    lineage = of_span(1, START, None, {"langsmith.trace.session_name": "mine"})
    for span_id in range(2, MAX_DEPTH + 1):
        lineage = child(lineage, run_id_of(span_id), START)
    assert lineage.trace_id == run_id_of(1)
    deeper = child(lineage, run_id_of(5_000), START)
    assert (deeper.trace_id, deeper.parent_run_id) == (run_id_of(5_000), None)
    assert (deeper.riding.project, deeper.notes) == ("mine", (TOO_DEEP,))


def test_a_lineage_lives_on_the_span_context() -> None:
    held, lineage = context(1), root(run_id_of(1), START)
    assert find(held) is None
    hang(held, lineage)
    assert find(held) is lineage
    assert find(None) is None


def test_a_context_that_takes_nothing_is_no_error() -> None:
    class Slotted:
        __slots__ = ()

    slotted: Any = Slotted()
    hang(slotted, root(run_id_of(1), START))
    assert find(slotted) is None


def test_a_claim_is_only_laid_to_a_remote_parent_of_which_nothing_is_known() -> None:
    served = span(1, 9, remote=True)
    stands_for = claimed(served, None)
    assert stands_for is not None
    assert (stands_for.run_id, stands_for.riding.claimed) == (run_id_of(9), True)
    below = child(stands_for, run_id_of(1), START)
    assert (below.parent_run_id, below.can_be_named) == (run_id_of(9), False)
    known = root(run_id_of(9), START)
    riding = Lineage("", "", None, "", riding=Riding("p"))
    linked = Lineage("", "", None, "", riding=Riding(metadata={CALLER_TRACE_ID: "x"}))
    assert claimed(served, known) is known
    assert claimed(served, linked) is linked
    assert claimed(span(1), None) is claimed(span(1, 2), None) is None
    ridden = claimed(served, riding)
    assert ridden is not None
    assert (ridden.riding.project, ridden.riding.claimed) == ("p", True)


def test_threads_and_users_ride_along_to_every_run_beneath() -> None:
    told = {"session.id": "t", "gen_ai.conversation.id": "other", "user.id": "u", "enduser.id": 3}
    above = of_span(1, START, None, told)
    below = of_span(2, START, of_span(3, START, above, {}), {})
    assert below.riding.metadata == above.riding.metadata == {"thread_id": "t", "user_id": "u"}
    own = of_span(4, START, below, {"langsmith.metadata.thread_id": "mine"})
    assert own.riding.metadata == {"thread_id": "mine", "user_id": "u"}


@pytest.mark.parametrize("value", ["", " ", "resp_1", "x" * 513, 7, None, ["t"], {"a": "t"}])
def test_what_is_no_id_of_a_thread_does_not_ride(value: Any) -> None:
    assert of_span(1, START, None, {"gen_ai.conversation.id": value}).riding.metadata == {}
