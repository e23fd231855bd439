"""Git's pre-receive hook: refuse what the rules in LOCAL_GITHUB_RULES forbid. Run by Git, not imported."""

import json
import os
import subprocess
import sys

ZERO = "0" * 40


def git(*command: str) -> subprocess.CompletedProcess[str]:
    """Ask Git, which here sees the pushed objects too."""
    return subprocess.run(["git", *command], check=False, capture_output=True, text=True)


def workflows(new: str) -> list[str]:
    """The workflow files that commits new to the repository change."""
    found = git(
        "log", "--format=", "--name-only", "-c", "--full-history", new, "--not", "--all", "--", ".github/workflows"
    )
    return [line for line in found.stdout.splitlines() if line]


def refusals(old: str, new: str, ref: str, rules: dict[str, object]) -> list[str]:
    """What to say about one ref; nothing lets it pass."""
    files = workflows(new) if rules["workflows"] and new != ZERO else []
    if files:
        sentence = "refusing to allow a GitHub App to create or update workflow `{}` without `workflows` permission"
        return [sentence.format(files[0])]
    about = dict(rules["refs"]).get(ref, {"always": [], "rewind": []})  # type: ignore[call-overload]
    broken = list(about["always"])
    if ZERO not in (old, new) and about["rewind"] and git("merge-base", "--is-ancestor", old, new).returncode:
        broken += about["rewind"]
    if not broken:
        return []
    heading = f"error: GH013: Repository rule violations found for {ref}."
    return [heading, f"Review all repository rules at {rules['page']}", "", *(f"- {line}" for line in broken), ""]


def main() -> int:
    """Judge all refs; one that is refused refuses all."""
    rules = json.loads(os.environ.get("LOCAL_GITHUB_RULES", "null"))
    # A push straight to the folder, without the server, is nobody's business.
    if rules is None:
        return 0
    said = [line for row in sys.stdin for line in refusals(*row.split(), rules)]  # type: ignore[call-arg]
    sys.stderr.writelines(f"{line}\n" for line in said)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
