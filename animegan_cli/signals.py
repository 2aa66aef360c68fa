"""Turning the first SIGINT or SIGTERM into a request that the training loop reads."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Holds the number of the signal that asked to stop; 0 before that."""

    signum: int = 0


@contextmanager
def stop_request(patient: bool = False) -> Iterator[StopRequest]:
    """Catch the first stopping signal; a second one acts as it did before.

    ``patient`` catches all of them: ``torchrun`` passes on a signal that the terminal has sent to
    every process already. Outside the main thread, where Python does not deliver signals, nothing
    is caught.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {signum: signal.getsignal(signum) for signum in STOPPING}

    def note(signum: int, frame: FrameType | None) -> None:
        request.signum = request.signum or signum
        if not patient:
            _restore()

    def _restore() -> None:
        for signum, handler in before.items():
            signal.signal(signum, handler)

    for signum in STOPPING:
        signal.signal(signum, note)
    try:
        yield request
    finally:
        _restore()
