"""Stand-in for actions/create-github-app-token: the private key is the token that a test has issued for the App."""

from github.actions.toolkit import fail, inputs, print_line, set_output

SLUG = "upkeep-app"


def main() -> None:
    """Output the App's token, masked in logs."""
    options = inputs()
    for name in ("client-id", "private-key"):
        if not options[name]:
            fail(f"[@octokit/auth-app] {name} option is required")
    print_line(f"::add-mask::{options['private-key']}")
    set_output("token", options["private-key"])
    set_output("app-slug", SLUG)


if __name__ == "__main__":
    main()
