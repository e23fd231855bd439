"""What people open in a browser, in a real one: MLflow's own pages on the store, and the report of a comparison."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import run
from playwright.sync_api import Page, sync_playwright

MODEL = "tumour-screening"
PICTURES = ("roc", "calibration", "slices", "flips", "distribution")


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


def test_the_pages_show_the_runs_and_the_champion(address: str, page: Page, tmp_path: Path) -> None:
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
    """What training measured, and a picture fetched from the branch's artefacts."""
    page.goto(f"{address}/#/experiments/1/runs")
    link = page.locator("a[href*='/runs/']").first
    link.wait_for(timeout=90_000)
    run = str(link.get_attribute("href")).split("/runs/")[1].split("/")[0].split("?")[0]
    page.goto(f"{address}/#/experiments/1/runs/{run}")
    page.get_by_text("roc_auc").first.wait_for(timeout=60_000)
    page.screenshot(path=tmp_path / "run.png")
    picture = page.request.get(f"{address}/get-artifact?run_uuid={run}&path=plots/confusion_matrix.png")
    assert picture.body().startswith(b"\x89PNG")


def test_the_report_of_a_comparison_has_its_pictures_and_asks_no_network(
    repository: Path, page: Page, tmp_path: Path
) -> None:
    """One file with everything in it: every picture is drawn, a dot tells its row, nothing is fetched or refused."""
    run(repository, ".venv/bin/gitops", "compare", "--out", str(tmp_path))
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"file://{tmp_path}/report.html")
    assert "Version 1 is the champion already" in page.locator("h2").inner_text()
    for name in PICTURES:
        page.locator(f"#{name} .main-svg").first.wait_for(timeout=60_000)
        assert page.locator(f"#{name} .points path").count() + page.locator(f"#{name} .lines path").count() > 0
    page.locator("#flips .points path").first.hover(force=True)
    page.locator("#flips .hoverlayer", has_text="truth").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.screenshot(path=tmp_path / "report.png", full_page=True)
    assert (tmp_path / "report.png").stat().st_size > 50_000
    assert [url for url in asked if not url.startswith("file:")] == []
    assert said == []
