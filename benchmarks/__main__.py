"""Run all benchmarks and print two tables: `python -m benchmarks`, or `--quick` for a test run of a few minutes.

The full run needs almost an hour on two cores, 3 GB of memory, and some gigabytes in the temporary folder.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import gates, image, leaks, library, pull_request, serving, startup, store, train, validate
from benchmarks.generated import GeneratedRepository, generate
from benchmarks.table import Figure, table
from planted_leaks import NAMES


@dataclass(frozen=True)
class Sizes:
    """Sizes and repetitions of the benchmarks.

    Attributes:
        starts: Number of starts of each command.
        validated: Numbers of rows to validate, each with the number of repetitions.
        trained: Numbers of rows to train on, in addition to the sample.
        trainings: Number of repetitions of each training.
        runs: Numbers of runs in the store at which it is measured, ascending.
        judged: Numbers of held-out rows that the gate judges, each with the number of challengers of each quality.
        metrics: Metrics whose gain is measured on resamples.
        resampled: Number of rows to resample.
        resamplings: Number of repetitions of the resampling.
        blocks: Number of blocks of requests.
        pushes: Number of pushes of a new repository.
        fast: Whether the jobs of a push install nothing.
        containers: Number of starts of a container; 0 leaves out the image, which takes minutes to build.
        check: Whether to run `make check`, with cold and with warm caches.
        leaking: Tables in which leaks are planted.
        plantings: Number of times that each kind of leak is planted in each table.
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
    fast: bool
    containers: int
    check: bool
    leaking: tuple[str, ...]
    plantings: int


FULL = Sizes(
    15, {1_000_000: 3, 10_000_000: 1}, (100_000,), 5, (1, 100, 1_000), {500: 400, 5_000: 400, 50_000: 100},
    ("accuracy", "log_loss", "average_precision", "roc_auc"), 1_000_000, 3, 60, 3, False, 7, True, NAMES, 6,
)  # fmt: skip
QUICK = Sizes(
    3, {20_000: 1}, (2_000,), 1, (1, 4), {500: 60, 5_000: 5, 50_000: 1}, ("roc_auc",), 20_000, 1, 2, 1, True, 0, False,
    ("iris",), 1,
)  # fmt: skip


def main() -> None:
    """Generate a repository in a temporary folder and run the benchmarks in it; the folder is removed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, one repetition: test that it runs")
    parser.add_argument("--library", action="store_true", help="only the library's wheel and `make check`")
    parser.add_argument("--image", action="store_true", help="only the image: takes minutes, and gigabytes")
    parser.add_argument("--leaks", action="store_true", help="only the leaks that the gates find")
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    if options.leaks:
        print(leaks.report(sizes.plantings, sizes.leaking, show_progress))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # remove the folder then as well
    with tempfile.TemporaryDirectory(prefix="gitops-benchmarks-") as folder:
        os.environ["TMPDIR"] = folder  # for all child processes
        show_progress("generate a repository and set it up")
        generated = generate(Path(folder))
        if options.image:
            figures = image.measure(generated, FULL.containers, show_progress)
        elif options.library:
            figures = library.measure(generated, show_progress) + library.check(generated, show_progress)
        else:
            figures = measure(generated, sizes)
        rates = None if options.image or options.library else gates.rates(generated, sizes.judged, show_progress)
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores.\n")
    print(table(figures))
    if rates is not None:
        print("\nPromotion rates of the gate CHAMPION for challengers of known quality:\n")
        print(gates.grid(rates))
        print("\nLeaks that the gates find:\n")
        print(leaks.report(sizes.plantings, sizes.leaking, show_progress))


def measure(generated: GeneratedRepository, sizes: Sizes) -> list[Figure]:
    """Run all benchmarks, in the order of the table."""
    figures = library.measure(generated, show_progress) + (
        library.check(generated, show_progress) if sizes.check else []
    )
    figures += startup.measure(generated, sizes.starts, show_progress)
    figures += validate.measure(generated, sizes.validated, show_progress)
    figures += train.measure(generated, sizes.trained, sizes.trainings, show_progress)
    figures += gates.measure(generated, sizes.metrics, sizes.resampled, sizes.resamplings, show_progress)
    figures += serving.measure(generated, sizes.blocks, show_progress)
    figures += store.measure(generated, sizes.runs, show_progress)
    figures += image.measure(generated, sizes.containers, show_progress) if sizes.containers else []
    return figures + pull_request.measure(generated, sizes.pushes, sizes.fast, show_progress)


def show_progress(step: str) -> None:
    """Print the current step to standard error."""
    print(f"benchmarks: {step}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
