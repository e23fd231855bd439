"""The threads that work on requests: they hold a limited number of bytes, and stop when a caller is gone.

No thread can be ended from outside. So the work of a request is bounded before it starts (`body`, `columnar`,
`json_size`), and asks between its steps whether its caller still waits.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.types import Receive

from gitops_ml.serving.api_error import ApiError

T = TypeVar("T")
# Bytes of a body that needs much memory: one is worked on at a time, and never by the threads of the small ones.
LARGE = 2**20
# More threads would wait for Python's lock, and each may need a hundred megabytes.
MAX_THREADS = 8
# Bodies that are received, as a multiple of the largest allowed body.
HELD_FACTOR = 4
# Most requests are answered sooner. Only later the server also waits for the end of the connection.
WATCH_SECONDS = 0.25
_thread = threading.local()


class CallerGone(BaseException):
    """The caller of the current request is gone; no handler of a model's errors catches this."""


def check_caller() -> None:
    """End the work of this thread if its caller is gone.

    Raises:
        CallerGone: The caller is gone.
    """
    job: Job | None = getattr(_thread, "job", None)
    if job is not None and job.abandoned:
        raise CallerGone


class Job:
    """The body of one request and the work on it.

    Attributes:
        abandoned: True if the caller no longer waits for an answer.
    """

    def __init__(self, workers: "Workers") -> None:
        """Start with an empty body.

        Args:
            workers: Threads that will do the work.
        """
        self.abandoned = False
        self._workers, self._size, self._is_finished = workers, 0, False
        self._future: Future[Any] | None = None

    def hold(self, size: int) -> None:
        """Count bytes of the body that were received.

        Args:
            size: Number of bytes.

        Raises:
            ApiError: 503, the server holds too many bytes of bodies.
        """
        with self._workers.lock:
            if self._workers.held + size > self._workers.max_held:
                message = "The server works on too many large requests. Send this one again in a few seconds."
                raise ApiError(503, message, headers={"Retry-After": "2"}, code="busy")
            self._workers.held += size
            self._size += size

    async def run(self, receive: Receive, work: Callable[[], T], *, is_packed: bool = False) -> T:
        """Do the work in a thread, and give up if the connection ends.

        Args:
            receive: ASGI function of the request, whose body was received.
            work: Function that calls `check_caller` between its steps.
            is_packed: True if the body may be much larger than its bytes.

        Returns:
            The result of the function.

        Raises:
            ApiError: 400, the caller closed the connection.
        """
        loop, watchers = asyncio.get_running_loop(), list[asyncio.Task[None]]()
        self._future = self._workers.submit(self._size, lambda: self._do(work), is_large=is_packed)
        answer: asyncio.Future[T] = asyncio.wrap_future(self._future)
        is_gone = False

        async def watch() -> None:
            nonlocal is_gone
            while (await receive())["type"] != "http.disconnect":
                pass
            is_gone = True
            answer.cancel()

        timer = loop.call_later(WATCH_SECONDS, lambda: watchers.append(loop.create_task(watch())))
        try:
            return await answer
        except asyncio.CancelledError:
            if not is_gone:
                raise
            raise ApiError(400, "The caller closed the connection before the answer.", code="caller_gone") from None
        finally:
            timer.cancel()
            for watcher in watchers:
                watcher.cancel()

    def close(self) -> None:
        """Note that the caller no longer waits; work in progress ends at its next `check_caller`."""
        never_starts = self._future is None or self._future.cancel()
        with self._workers.lock:
            if never_starts:
                self._release()
            elif not self._is_finished:
                self.abandoned = True
                self._workers.abandoned.add(self)

    def _do(self, work: Callable[[], T]) -> T:
        _thread.job = self
        try:
            check_caller()
            return work()
        finally:
            _thread.job = None
            with self._workers.lock:
                self._is_finished = True
                self._workers.abandoned.discard(self)
                self._release()

    def _release(self) -> None:
        self._workers.held -= self._size
        self._size = 0


class Workers:
    """The threads of a server.

    Attributes:
        threads: Number of threads for bodies that are not large; there is one more for large bodies.
        max_held: Largest number of bytes of bodies in memory.
        held: Bytes of bodies that are received or worked on.
        abandoned: Jobs in progress whose callers are gone.
        lock: Lock of these counters.
    """

    def __init__(self, max_body_mib: int) -> None:
        """Create one thread per processor, up to a limit.

        Args:
            max_body_mib: Largest allowed size of a body (MiB).
        """
        self.threads = min(os.cpu_count() or 1, MAX_THREADS)
        self.max_held, self.held = HELD_FACTOR * max_body_mib * 2**20, 0
        self.abandoned: set[Job] = set()
        self.lock = threading.Lock()
        self._small = ThreadPoolExecutor(max_workers=self.threads, thread_name_prefix="predict")
        self._large = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predict-large")

    @property
    def is_stuck(self) -> bool:
        """True if every thread works for a caller that is gone, so that no request is answered."""
        return len(self.abandoned) >= self.threads

    def submit(self, size: int, work: Callable[[], T], *, is_large: bool = False) -> "Future[T]":
        """Do work in a thread.

        Args:
            size: Number of bytes that the work is about.
            work: Function.
            is_large: True if the work needs more memory than the size says.
        """
        return (self._large if is_large or size > LARGE else self._small).submit(work)

    def close(self) -> None:
        """Accept no more work; work in progress goes on."""
        for pool in (self._small, self._large):
            pool.shutdown(wait=False, cancel_futures=True)
