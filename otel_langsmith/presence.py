"""What LangSmith has of a run that was posted before its span ended: a state machine. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias

Operation: TypeAlias = Literal["post", "patch"]


class State(Enum):
    """What is known of the run at LangSmith."""

    ABSENT = "nothing was sent yet"
    UNSURE = "its opening was sent, and whether it arrived is not known"
    OPENED = "its opening was accepted"
    DENIED = "its opening was accepted, yet the end as a patch found no run"
    PROVEN = "a post was refused because the run is there"
    LAGGING = "it is there, and was not found all the same"


_CONFLICT: Final = 409
_NOT_FOUND: Final = 404

_TURNS: Final = {
    (State.UNSURE, _CONFLICT): State.PROVEN,
    (State.OPENED, _NOT_FOUND): State.DENIED,
    (State.DENIED, _CONFLICT): State.PROVEN,
    (State.PROVEN, _NOT_FOUND): State.LAGGING,
}


class Presence:
    """Decides whether the end of a run is its post or the patch of what its opening posted.

    The end always carries the whole run, so this is decided as late as the request is built, and
    again when the reply tells us better:

        =======  ============  ===============  ==============
        state    the end is a  409 then means   404 then means
        =======  ============  ===============  ==============
        ABSENT   post          it is delivered  it is refused
        UNSURE   post          PROVEN, again    it is refused
        OPENED   patch         it is delivered  DENIED, again
        DENIED   post          PROVEN, again    it is refused
        PROVEN   patch         it is delivered  LAGGING, again
        LAGGING  patch         it is delivered  it is refused
        =======  ============  ===============  ==============

    Any 2xx delivers it. A post where nothing is known is the careful choice: if the opening did
    arrive, the conflict says so, and a patch of a run that does not exist would never be seen. No
    row leads back, so a server that contradicts itself is not asked for ever.

    ``orphaned`` runs were refused because nobody knows the parent they claim, and go without it.
    Of one that is ``over`` the end is on its way, so no opening is wanted. Used by one delivery at
    a time. Of several destinations, each has one of its own: see `at`.
    """

    __slots__ = ("_elsewhere", "orphaned", "over", "state")

    def __init__(self, state: State = State.ABSENT) -> None:
        self.state = state
        self.orphaned = self.over = False
        self._elsewhere: tuple[Presence, ...] = ()

    def at(self, destination: int) -> Presence:
        """The state at another destination, the first being 0; for one thread at a time."""
        while len(self._elsewhere) < destination:
            self._elsewhere += (Presence(),)
        return self._elsewhere[destination - 1] if destination else self

    @property
    def everywhere(self) -> tuple[Presence, ...]:
        """The same run at every destination that anyone asked about."""
        return (self, *self._elsewhere)

    @property
    def operation(self) -> Operation:
        """How the end of the run is to be sent now."""
        there = (State.OPENED, State.PROVEN, State.LAGGING)
        return "patch" if self.state in there else "post"

    @property
    def doubtful(self) -> bool:
        """Whether a conflict over the end as a post may be its opening's doing."""
        return self.state in (State.UNSURE, State.DENIED)

    def opening_sent(self) -> None:
        """The opening is about to be sent; from now on it may have arrived."""
        self.state = State.UNSURE

    def opening_accepted(self) -> None:
        """LangSmith has the opening."""
        self.state = State.OPENED

    def turned_by(self, status: int | None) -> bool:
        """Whether this reply to the end, sent alone, wants it sent again as the other operation."""
        turn = _TURNS.get((self.state, status or 0))
        if turn is not None:
            self.state = turn
        return turn is not None
