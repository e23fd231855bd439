"""Times of requests that are answered in turns, counted so that other load on the machine hardly changes them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

# Number of requests to each; the first is slower and does not count. MINIMUM is the number if all together take longer
# than these times.
REQUESTS, MINIMUM = 10, 4
MAX_SECONDS, MAX_PROCESSOR_SECONDS = 2.0, 0.2


@dataclass(frozen=True)
class TimedRequests:
    """Requests of one row whose time can be measured, in whatever process they are answered.

    Attributes:
        answer: Function that has the request with a number answered.
        processor_seconds: Function that returns the processor time of the process that answers.
    """

    answer: Callable[[int], object]
    processor_seconds: Callable[[], float] = time.process_time


@dataclass(frozen=True)
class RequestTime:
    """Time of a request in milliseconds.

    Attributes:
        median_ms: Median.
        p95_ms: 95th percentile.
    """

    median_ms: float
    p95_ms: float


def measure_request_times(handlers: Mapping[str, TimedRequests]) -> dict[str, RequestTime]:
    """Return the time of a request to each handler; in this process with one thread, as a server has for a request.

    The time is the processor time, and the shortest time that a request waited, such as for another service. A busy
    machine makes requests wait longer, but rarely all of them, and costs hardly any processor time.

    Args:
        handlers: Requests by name.
    """
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in handlers}
    with threadpool_limits(limits=1):
        start, started = time.monotonic(), _processor_seconds(handlers)
        for number in range(REQUESTS):
            used = _processor_seconds(handlers) - started
            is_late = time.monotonic() - start > MAX_SECONDS or used > MAX_PROCESSOR_SECONDS
            if number >= MINIMUM and is_late:
                break
            for name, handler in handlers.items():
                samples[name].append(_measure(handler, number))
    return {name: summarize(each[1:]) for name, each in samples.items()}


def summarize(samples: list[tuple[float, float]]) -> RequestTime:
    """Return the time of a request from the wall time and the processor time of several, in seconds.

    Args:
        samples: Wall time and processor time of each request.
    """
    wall, processor = np.array(samples).T
    waited = max(float((wall - processor).min()), 0.0)
    median, p95 = np.quantile(processor, [0.5, 0.95]) + waited
    return RequestTime(1000 * float(median), 1000 * float(p95))


def _processor_seconds(handlers: Mapping[str, TimedRequests]) -> float:
    return sum(clock() for clock in {handler.processor_seconds for handler in handlers.values()})


def _measure(handler: TimedRequests, number: int) -> tuple[float, float]:
    wall, processor = time.perf_counter(), handler.processor_seconds()
    handler.answer(number)
    return time.perf_counter() - wall, handler.processor_seconds() - processor
