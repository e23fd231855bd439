"""`make picture`: photograph the promotion pull request of the demo, for README.md.

Repository, local GitHub and workflow runs are those of the demo (tests/demo.py): a first version is merged, and a
better one is proposed. A browser without a window opens the page of the second pull request. Its picture and its text
go to docs/images; test_readme.py compares the text with those that the library writes.

It takes some minutes, and needs Chromium (`make tools`) and the fonts of Debian's packages fonts-liberation and
fonts-noto-color-emoji, with which texts look as on GitHub.
"""

import os
import shutil
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import memory_folder
from demo import (
    FOLDER,
    TEMPLATE,
    UnexpectedResult,
    generate_repository,
    model_server_stopped_at_end,
    push,
    require,
    run_command,
    watch_runs,
)
from github.contributor import Contributor, NotInstalled, start_github, warm_cache
from hub_fixture import BETTER

PICTURE = TEMPLATE / "docs" / "images" / "promotion-pull-request.png"
TEXT = PICTURE.with_suffix(".md")
WIDTH = 1000
FONTS = ("Liberation Sans", "Noto Color Emoji")
# Text stays sharp with few colors, and the file stays small.
COLORS = 64
LIMIT = 300 * 1024  # bytes
# The page's frame is left out, and what follows the text: checks, buttons, and the changed files.
STYLE = "header, main > .box ~ * { display: none } main { margin: 0 auto; padding: 16px 24px 8px }"


def photograph(url: str) -> bytes:
    """Return a picture of a pull request's page as PNG.

    Args:
        url: Address of the page.
    """
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    require(browser is not None, "There is no browser. Run `make tools`, which installs Chromium.")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = opened.new_page(viewport={"width": WIDTH, "height": 800}, device_scale_factor=2)
        page.goto(url)
        page.add_style_tag(content=STYLE)
        picture = page.locator("main").screenshot()
        opened.close()
    return picture


def require_fonts() -> None:
    """Stop with a message if a font is missing: the picture would show boxes instead of signs."""
    families = subprocess.run(["fc-list", ":", "family"], check=True, capture_output=True, text=True).stdout
    missing = [font for font in FONTS if font not in families]
    require(not missing, f"These fonts are missing: {', '.join(missing)}. Install fonts-liberation and "
            "fonts-noto-color-emoji.")  # fmt: skip


def reduce_colors(picture: bytes) -> bytes:
    """Return a smaller PNG of the same size in pixels.

    Args:
        picture: PNG with all colors.
    """
    reduced = BytesIO()
    image = Image.open(BytesIO(picture)).convert("RGB")
    image.quantize(COLORS, dither=Image.Dither.NONE).save(reduced, "PNG", optimize=True)
    return reduced.getvalue()


def propose_a_better_version(github: Contributor) -> int:
    """Promote a first version, push a better one, and return the number of its pull request."""
    push(github, "Start from the template")
    watch_runs(github)
    github.merge(int(github.pull["number"]))
    watch_runs(github)
    github.run("git", "pull", "--quiet", "--rebase", "origin", "main")
    github.choose_columns(BETTER)
    push(github, "Look at the worst cells too")
    watch_runs(github)
    return int(github.pull["number"])


def save(github: Contributor, number: int) -> None:
    """Write picture and text of a pull request."""
    picture = reduce_colors(photograph(f"{github.server.html_url}/pull/{number}"))
    require(len(picture) <= LIMIT, f"The picture has {len(picture):,} bytes, more than {LIMIT:,}. Lower COLORS.")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(picture)
    title, body = github.pull["title"], github.pull["body"].replace(github.server.url, "https://github.example")
    TEXT.write_text(f"# {title}\n\n{body}", encoding="utf-8")


def main() -> None:
    """Run the story up to the second pull request, and write its picture."""
    started = time.monotonic()
    require_fonts()
    root, port = generate_repository()
    machine = warm_cache(memory_folder.path_or(FOLDER) / "machine", root / "requirements")
    machine |= {"GITOPS_STATE": str(FOLDER / "state")}
    with start_github(FOLDER, root, env=machine) as github, model_server_stopped_at_end(port):
        os.environ.update(machine)
        run_command(github, "make", "setup", f"PYTHON={sys.executable}")
        save(github, propose_a_better_version(github))
    print(f"\n{PICTURE.relative_to(Path.cwd())}: {PICTURE.stat().st_size:,} bytes, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    memory_folder.create()
    try:
        main()
    except UnexpectedResult as stopped:
        sys.exit(f"\nThere is no picture: {stopped}")
    except NotInstalled as error:
        sys.exit(f"\nThe packages of the model could not be installed. The installer reported:\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        memory_folder.remove()
