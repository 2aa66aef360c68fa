"""Work on a stream of items on several threads: results in order, a bounded number at a time."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], lanes: int
) -> Generator[Result, None, None]:
    """Yield ``work(item)`` for every item, in the order of the items, ``lanes`` at a time.

    At most ``2 * lanes`` items are begun and not yet yielded, so that memory does not grow with
    their number. However this ends, what is begun is finished, and nothing more is begun.
    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(lanes)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) == 2 * lanes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Return how many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
