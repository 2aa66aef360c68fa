"""How progress and statistics leave the core: one small protocol and its silent form."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

Advance = Callable[[int], None]


class Reporter(Protocol):
    """Where the core says what it is doing; nothing ever flows back."""

    def note(self, text: str) -> None:
        """Say one line that a user may want to know."""
        ...

    def warn(self, text: str) -> None:
        """Say one line that a user should act on."""
        ...

    def task(
        self, description: str, total: int, unit: str = "image", done: int = 0
    ) -> AbstractContextManager[Advance]:
        """Show progress from ``done`` to ``total``; the yielded function adds to it."""
        ...

    def tick(self, stats: Mapping[str, Any]) -> None:
        """Show the statistics of one training tick."""
        ...


class NullReporter:
    """A reporter that says nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def task(
        self, description: str, total: int, unit: str = "image", done: int = 0
    ) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda count: None

    def tick(self, stats: Mapping[str, Any]) -> None:
        """Show nothing."""
