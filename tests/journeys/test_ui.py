"""Pages in a real browser: MLflow's web interface on the store, and the library's pages about a comparison, monitoring
and the status."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from repositories import run

MODEL = "tumour-screening"
PICTURES = ("roc", "precision-recall", "confusion", "calibration", "slices", "flips", "distribution")


@pytest.fixture(scope="module")
def address(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`gitops ui`, run from a clone on another path, as another person would."""
    clone = tmp_path_factory.mktemp("another") / "person" / "clone"
    remote = repository.parent / "remote.git"
    subprocess.run(["git", "clone", "--quiet", str(remote), str(clone)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = clone.parent / "ui.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [repository / ".venv/bin/gitops", "--project", clone, "ui", "--port", str(port)],
            stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_for(port, server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
        left = subprocess.run(["pgrep", "--full", f"port {port}"], capture_output=True, text=True, check=False)
        assert left.stdout == "", "the server, or one that it started, was left running"


def _wait_for(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    raise AssertionError(f"the pages did not come in three minutes\n{log.read_text()}")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of the system's own browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        yield opened.new_page(viewport={"width": 1400, "height": 900})
        opened.close()


def test_mlflow_shows_the_runs_and_the_champion(address: str, page: Page, tmp_path: Path) -> None:
    """The registered model has version 1 with the alias champion; its run has metrics and plots."""
    page.goto(f"{address}/#/models/{MODEL}")
    page.get_by_text("Version 1").first.wait_for(timeout=90_000)
    assert page.get_by_text("champion").first.is_visible()
    page.screenshot(path=tmp_path / "model.png")
    page.goto(f"{address}/#/models/{MODEL}/versions/1")
    page.get_by_text("gitops.digest").first.wait_for(timeout=60_000)
    page.screenshot(path=tmp_path / "version.png")
    assert (tmp_path / "version.png").stat().st_size > 10_000


def test_a_run_shows_its_metrics_and_its_plots(address: str, page: Page, tmp_path: Path) -> None:
    """The metrics of training, and a plot from the branch's artefacts."""
    page.goto(f"{address}/#/experiments/1/runs")
    link = page.locator("a[href*='/runs/']").first
    link.wait_for(timeout=90_000)
    run = str(link.get_attribute("href")).split("/runs/")[1].split("/")[0].split("?")[0]
    page.goto(f"{address}/#/experiments/1/runs/{run}")
    page.get_by_text("roc_auc").first.wait_for(timeout=60_000)
    page.screenshot(path=tmp_path / "run.png")
    picture = page.request.get(f"{address}/get-artifact?run_uuid={run}&path=plots/confusion_matrix.png")
    assert picture.body().startswith(b"\x89PNG")


def test_the_comparison_report_has_its_charts_and_needs_no_network(
    repository: Path, page: Page, tmp_path: Path
) -> None:
    """One file: every chart is drawn, a point shows its row, and nothing is fetched or blocked."""
    run(repository, ".venv/bin/gitops", "compare", "--out", str(tmp_path))
    asked: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"file://{tmp_path}/report.html")
    assert "Version 1 is the champion already" in page.locator("h2").inner_text()
    for name in PICTURES:
        page.locator(f"#{name} .main-svg").first.wait_for(timeout=60_000)
        marks = (page.locator(f"#{name} {mark}").count() for mark in (".points path", ".lines path", ".hm image"))
        assert sum(marks) > 0, name
    page.locator("#flips .points path").first.hover(force=True)
    page.locator("#flips .hoverlayer", has_text="label").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.screenshot(path=tmp_path / "report.png", full_page=True)
    assert (tmp_path / "report.png").stat().st_size > 50_000
    assert [url for url in asked if not url.startswith("file:")] == []
    assert messages == []


def open_page(page: Page, file: Path, width: int = 1280) -> list[str]:
    """Open a page, and return its network requests and the browser's messages."""
    trouble: list[str] = []
    page.on("request", lambda request: None if request.url.startswith("file:") else trouble.append(request.url))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"file://{file}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    return trouble


def test_the_monitoring_report_draws_open_and_opened_sections(repository: Path, page: Page, tmp_path: Path) -> None:
    """Drift over time and the worst columns are drawn at once, others when they are unfolded; nothing is fetched."""
    done = run(repository, ".venv/bin/python", "-c", WATCHED, str(tmp_path / "watched.html"))
    assert done == ""
    trouble = open_page(page, tmp_path / "watched.html")
    assert "Alarm in production" in page.locator("h2").inner_text()
    for name in ("prediction", "column-0", "drift", "traffic"):
        page.locator(f"#{name} .main-svg").first.wait_for(timeout=60_000)
    page.locator("#drift .points path").first.hover(force=True)
    page.locator("#drift .hoverlayer", has_text="UTC").wait_for()
    folded = page.locator("details", has=page.locator("#column-7"))
    assert page.locator("#column-7 .main-svg").count() == 0
    folded.locator("summary").click()
    page.locator("#column-7 .main-svg").first.wait_for()
    assert page.locator("#column-7").bounding_box()["width"] > 900  # type: ignore[index]
    page.screenshot(path=tmp_path / "watched.png", full_page=True)
    assert trouble == []


def test_the_status_fits_a_screen(repository: Path, page: Page, tmp_path: Path) -> None:
    """The version that serves and its cost fit a wide screen without scrolling; on a narrow one nothing is cut off."""
    run(repository, ".venv/bin/gitops", "report", "--output", str(tmp_path))
    trouble = open_page(page, tmp_path / "index.html")
    assert page.locator("h2").inner_text() == "Version 1 release 1.0.0"
    assert page.get_by_text("no gate refused it").is_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= 900
    page.screenshot(path=tmp_path / "status.png")
    page.get_by_role("link", name="report").click()
    assert "No data from production yet" in page.locator("h2").inner_text()
    assert trouble + open_page(page, tmp_path / "index.html", width=420) == []


# Twelve windows of eight columns, one of which drifts.
WATCHED = """
import sys
from pathlib import Path
from gitops_ml.forge.monitoring_page import render_monitoring_page

numbers = {"missing": 0, "edges": [0.0, 1.0], "counts": [30, 40, 30]}
names = [f"x{place}" for place in range(8)]

def finding(name, day):
    moved = 0.3 if name == "x0" and day > 8 else 0.01
    return {"kind": "data drift", "subject": name, "verdict": "alarm" if moved > 0.15 else "ok", "value": moved,
            "warning": 0.1, "alarm": 0.15, "low": None, "high": None, "words": f"{name} has moved by {moved}."}

def window(day):
    seen = {"rows": 100, "columns": dict.fromkeys(names, [20, 40, 40, 0]), "prediction": [30, 40, 30, 0],
            "requests": {"200": 50}, "refused": {}, "seconds": {}}
    return {"environment": "production", "version": "1", "digest": "sha256:1", "seen": seen,
            "start": f"2026-01-{day:02}T00:00:00Z", "until": f"2026-01-{day + 1:02}T00:00:00Z",
            "findings": [finding(name, day) for name in names], "alarms": ["data drift: x0"] if day > 9 else [],
            "verdict": "alarm" if day > 9 else "ok"}

found = {"environment": "production", "version": "1", "digest": "sha256:1", "release": "1.0.0",
         "alarms": ["data drift: x0"],
         "windows": [window(day) for day in range(1, 13)],
         "reference": {"rows": 100, "columns": dict.fromkeys(names, numbers), "target": numbers, "prediction": numbers}}
Path(sys.argv[1]).write_text(render_monitoring_page(found))
"""
