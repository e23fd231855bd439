"""What an overview says, in words: rows and sentences that the terminal and the page have in common."""

from datetime import UTC, datetime
from typing import Any

from gitops_ml.forge.report import number, several

Found = dict[str, Any]
SERVING = ["where", "serves", "since", "why", "measured", "gates", "monitoring"]
WINDOWS = 5
UNJUDGED = "not judged yet"
Table = tuple[str, list[str], list[list[str]]]


def serving(found: Found, environment: Found) -> list[str]:
    """One line about one environment, in the order of SERVING."""
    served = environment["serving"]
    since = moment(environment["since"]) if environment["since"] else "–"
    if served is None:
        return [environment["name"], "nothing", since, environment["why"] or "nothing was promoted yet", "", "", ""]
    proven = "" if environment["verified"] else " (never verified)"
    return [
        environment["name"], f"version {served['version']}, release {served['release']}{proven}",
        f"{since}, {ago(environment['since'], found['when'])}", environment["why"], measured(served), gates(served),
        monitoring(environment),
    ]  # fmt: skip


def measured(served: Found) -> str:
    """The figure that earned it the place, and what it was to beat."""
    beside = [f"baseline {number(served['baseline'])}"]
    beside += [] if served["champion"] is None else [f"the champion then {number(served['champion'])}"]
    return f"{served['metric']} {number(served['value'])} ({', '.join(beside)})"


def gates(served: Found) -> str:
    """How it was judged; what did not pass every gate that was on is on no main."""
    off = served["off"]
    return "every gate passed" if not off else f"every gate passed but {', '.join(off)}, switched off"


def monitoring(environment: Found) -> str:
    """The last verdict, if it is about what serves."""
    windows = environment["windows"]
    if not windows:
        return "not watched"
    return windows[-1]["verdict"] if environment["judged"] else UNJUDGED


def tables(found: Found) -> list[Table]:
    """The other tables; one may be empty."""
    now, github = found["when"], found["github"] or {"runs": [], "pulls": [], "issues": []}
    return [
        ("Monitoring, newest first", ["where", "until (UTC)", "verdict", "rows", "version"],
         [[each["name"], moment(window["until"]), window["verdict"], f"{window['rows']:,}", window["version"]]
          for each in found["environments"] for window in each["windows"][: -WINDOWS - 1 : -1]]),
        ("Alarms", ["where", "what"], [[each["name"], alarm] for each in found["environments"]
                                       for alarm in each["alarms"]]),
        ("Holds in force", ["where", "version", "since", "by", "why"],
         [[each["name"], hold["version"] or hold["digest"][7:19], moment(hold["at"]), hold["by"], hold["why"]]
          for each in found["environments"] for hold in each["holds"]]),
        ("Offered on a branch", ["where", "version", "release"],
         [[each["name"], each["offer"]["version"], each["offer"]["release"]]
          for each in found["environments"] if each["offer"]]),
        ("Open pull requests and issues of ours", ["number", "what", "since", "page"],
         [[f"#{each['number']}", each["title"], ago(each["when"], now), each["page"]]
          for each in (*github["pulls"], *github["issues"])]),
        ("Last runs", ["workflow", "ended with", "when", "by"],
         [[each["name"], each["verdict"], ago(each["when"], now), each["event"]] for each in github["runs"]]),
    ]  # fmt: skip


def sentences(found: Found) -> list[str]:
    """What it costs, and what could not be asked."""
    return [f"{what}: {how}." for what, how in cost(found)] + list(found["unasked"].values())


def cost(found: Found) -> list[tuple[str, str]]:
    """What is used up, by name."""
    github, store = found["github"], found["store"]
    told = [("Minutes", f"{github['minutes']:,.0f} used by runs in 30 days" if github else "not asked")]
    if store:
        told.append(("Store", f"{mib(store['bytes'])} of {mib(store['budget'])}, "
                              f"{several(store['versions'], 'version')}"))  # fmt: skip
    images = {each["name"]: each["image_bytes"] for each in found["environments"] if each["image_bytes"]}
    return told + [(f"Image in {name}", mib(size)) for name, size in images.items()]


def mib(size: int) -> str:
    """A size that people read."""
    return f"{size / 2**20:,.1f} MiB" if size < 100 * 2**20 else f"{size / 2**20:,.0f} MiB"


def moment(text: str) -> str:
    """In UTC, to the minute."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"


def ago(then: str, now: str) -> str:
    """How long ago, in the largest unit that is not nothing."""
    minutes = int((datetime.fromisoformat(now) - datetime.fromisoformat(then)).total_seconds() // 60)
    for unit, size in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        if minutes >= size:
            return f"{several(minutes // size, unit)} ago"
    return "just now"
