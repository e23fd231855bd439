"""Git's pre-receive hook: refuse pushes that violate the rules in LOCAL_GITHUB_RULES. Git runs this file."""

import json
import os
import subprocess
import sys

ZERO = "0" * 40


def git(*command: str) -> subprocess.CompletedProcess[str]:
    """Run Git, which also sees the pushed objects here."""
    return subprocess.run(["git", *command], check=False, capture_output=True, text=True)


def changed_workflows(new: str) -> list[str]:
    """Return the workflow files that new commits change."""
    log = git(
        "log", "--format=", "--name-only", "-c", "--full-history", new, "--not", "--all", "--", ".github/workflows"
    )
    return [line for line in log.stdout.splitlines() if line]


def find_violations(old: str, new: str, ref: str, rules: dict[str, object]) -> list[str]:
    """Return the messages about a refused ref; an empty list if it is accepted."""
    files = changed_workflows(new) if rules["workflows"] and new != ZERO else []
    if files:
        template = "refusing to allow a GitHub App to create or update workflow `{}` without `workflows` permission"
        return [template.format(files[0])]
    ref_rules = dict(rules["refs"]).get(ref, {"always": [], "rewind": []})  # type: ignore[call-overload]
    violations = list(ref_rules["always"])
    if ZERO not in (old, new) and ref_rules["rewind"] and git("merge-base", "--is-ancestor", old, new).returncode:
        violations += ref_rules["rewind"]
    if not violations:
        return []
    heading = f"error: GH013: Repository rule violations found for {ref}."
    return [heading, f"Review all repository rules at {rules['page']}", "", *(f"- {line}" for line in violations), ""]


def main() -> int:
    """Check all refs; one refused ref makes the whole push fail."""
    rules = json.loads(os.environ.get("LOCAL_GITHUB_RULES", "null"))
    # Pushes directly to the folder, without the server, are not checked.
    if rules is None:
        return 0
    lines = [line for row in sys.stdin for line in find_violations(*row.split(), rules)]  # type: ignore[call-arg]
    sys.stderr.writelines(f"{line}\n" for line in lines)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
