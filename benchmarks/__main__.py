"""Measure everything and print two tables: `python -m benchmarks`, or `--quick` for a smoke run of a few minutes.

The full run takes most of an hour on two busy cores, 3 GB of memory, and some gigabytes of the temporary folder.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import gates, image, library, pull_request, serving, startup, store, train, validate
from benchmarks.bake import Baked, bake
from benchmarks.table import Figure, table


@dataclass(frozen=True)
class Sizes:
    """How much is measured, and how often.

    Attributes:
        starts: How often each command is started.
        validated: Numbers of rows that are validated, each with how often.
        trained: Numbers of rows that are trained on beside the sample's own.
        trainings: How often each training runs.
        runs: Numbers of runs in the store after which it is measured, ascending.
        judged: Numbers of held-out rows on which the gate judges, each with how many challengers of each quality.
        metrics: Whose gain is measured on resamples.
        resampled: Number of rows that are resampled.
        resamplings: How often they are.
        blocks: How many blocks of requests are measured.
        pushes: How often a new repository is pushed.
        containers: How often a container is started; 0 leaves the image out, which takes minutes to build.
        check: Whether `make check` is run, cold and warm.
    """

    starts: int
    validated: dict[int, int]
    trained: tuple[int, ...]
    trainings: int
    runs: tuple[int, ...]
    judged: dict[int, int]
    metrics: tuple[str, ...]
    resampled: int
    resamplings: int
    blocks: int
    pushes: int
    containers: int
    check: bool


FULL = Sizes(
    15, {1_000_000: 3, 10_000_000: 1}, (100_000,), 5, (1, 100, 1_000), {500: 400, 5_000: 400, 50_000: 100},
    ("accuracy", "log_loss", "average_precision", "roc_auc"), 1_000_000, 3, 60, 3, 7, True,
)  # fmt: skip
QUICK = Sizes(
    3, {20_000: 1}, (2_000,), 1, (1, 4), {500: 60, 5_000: 5, 50_000: 1}, ("roc_auc",), 20_000, 1, 2, 1, 0, False
)  # fmt: skip


def main() -> None:
    """Bake a repository into a temporary folder, measure there, and leave nothing behind."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, once each: does it run at all?")
    parser.add_argument("--library", action="store_true", help="the library's wheel, and `make check`, alone")
    parser.add_argument("--image", action="store_true", help="the image alone: minutes, and gigabytes")
    asked = parser.parse_args()
    sizes = QUICK if asked.quick else FULL
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidy up then too
    with tempfile.TemporaryDirectory(prefix="gitops-benchmarks-") as folder:
        os.environ["TMPDIR"] = folder  # of everything that we start
        say("generate a repository and set it up")
        baked = bake(Path(folder))
        if asked.image:
            figures = image.measure(baked, FULL.containers, say)
        elif asked.library:
            figures = library.measure(baked, say) + library.check(baked, say)
        else:
            figures = measure(baked, sizes)
        rates = None if asked.image or asked.library else gates.rates(baked, sizes.judged, say)
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores.\n")
    print(table(figures))
    if rates is not None:
        print("\nHow often the gate CHAMPION promotes a challenger whose true quality is known:\n")
        print(gates.grid(rates))


def measure(baked: Baked, sizes: Sizes) -> list[Figure]:
    """Everything, in the order of the table."""
    figures = library.measure(baked, say) + (library.check(baked, say) if sizes.check else [])
    figures += startup.measure(baked, sizes.starts, say)
    figures += validate.measure(baked, sizes.validated, say)
    figures += train.measure(baked, sizes.trained, sizes.trainings, say)
    figures += gates.measure(baked, sizes.metrics, sizes.resampled, sizes.resamplings, say)
    figures += serving.measure(baked, sizes.blocks, say)
    figures += store.measure(baked, sizes.runs, say)
    figures += image.measure(baked, sizes.containers, say) if sizes.containers else []
    return figures + pull_request.measure(baked, sizes.pushes, say)


def say(what: str) -> None:
    """What is being measured, apart from the table."""
    print(f"benchmarks: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
