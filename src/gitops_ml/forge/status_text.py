"""The texts of `gitops status`: rows and sentences that the terminal and the status page share."""

from datetime import UTC, datetime
from typing import Any

from gitops_ml.forge.markdown import format_count, format_number

JsonObject = dict[str, Any]
SERVING_HEADERS = ["environment", "serves", "since", "reason", "metric", "gates", "monitoring"]
MAX_WINDOWS = 5
NOT_JUDGED = "not judged yet"
Table = tuple[str, list[str], list[list[str]]]


def serving_row(overview: JsonObject, environment: JsonObject) -> list[str]:
    """Return the row of an environment, in the order of SERVING_HEADERS.

    Args:
        overview: JSON document of the overview.
        environment: One of its environments.
    """
    served = environment["serving"]
    since = format_time(environment["since"]) if environment["since"] else "–"
    if served is None:
        return [environment["name"], "nothing", since, environment["why"] or "nothing was promoted yet", "", "", ""]
    verified = "" if environment["verified"] else " (never verified)"
    return [
        environment["name"], f"version {served['version']}, release {served['release']}{verified}",
        f"{since}, {format_age(environment['since'], overview['when'])}", environment["why"], describe_metric(served),
        describe_gates(served), describe_monitoring(environment),
    ]  # fmt: skip


def describe_metric(served: JsonObject) -> str:
    """Return the metric at the promotion, with those of the baseline and of the champion at that time.

    Args:
        served: The version that serves, in the overview.
    """
    compared = [f"baseline {format_number(served['baseline'])}"]
    compared += [] if served["champion"] is None else [f"previous champion {format_number(served['champion'])}"]
    return f"{served['metric']} {format_number(served['value'])} ({', '.join(compared)})"


def describe_gates(served: JsonObject) -> str:
    """Return which gates were off. No gate that was on refused a version on main; some may have had nothing to judge.

    Args:
        served: The version that serves, in the overview.
    """
    off = served["off"]
    return "no gate refused it" + (f"; switched off: {', '.join(off)}" if off else "")


def describe_monitoring(environment: JsonObject) -> str:
    """Return the last verdict of monitoring, if it is about the version that serves.

    Args:
        environment: One of the environments of the overview.
    """
    windows = environment["windows"]
    if not windows:
        return "not monitored"
    return windows[-1]["verdict"] if environment["judged"] else NOT_JUDGED


def build_tables(overview: JsonObject) -> list[Table]:
    """Return the other tables as title, headers and rows; the rows may be empty.

    Args:
        overview: JSON document of the overview.
    """
    now, environments = overview["when"], overview["environments"]
    github = overview["github"] or {"runs": [], "pulls": [], "issues": []}
    return [
        ("Monitoring, newest first", ["environment", "until (UTC)", "verdict", "rows", "version"],
         [[it["name"], format_time(window["until"]), window["verdict"], f"{window['rows']:,}", window["version"]]
          for it in environments for window in it["windows"][: -MAX_WINDOWS - 1 : -1]]),
        ("Alarms", ["environment", "alarm"], [[it["name"], alarm] for it in environments for alarm in it["alarms"]]),
        ("Holds in force", ["environment", "version", "since", "by", "reason"],
         [[it["name"], hold["version"] or hold["digest"][7:19], format_time(hold["at"]), hold["by"], hold["why"]]
          for it in environments for hold in it["holds"]]),
        ("Proposed on a branch", ["environment", "version", "release"],
         [[it["name"], it["proposed"]["version"], it["proposed"]["release"]] for it in environments if it["proposed"]]),
        ("Open pull requests and issues of gitops", ["number", "title", "opened", "page"],
         [[f"#{it['number']}", it["title"], format_age(it["when"], now), it["page"]]
          for it in (*github["pulls"], *github["issues"])]),
        ("Last runs", ["workflow", "result", "started", "event"],
         [[it["name"], it["verdict"], format_age(it["when"], now), it["event"]] for it in github["runs"]]),
    ]  # fmt: skip


def build_sentences(overview: JsonObject) -> list[str]:
    """Return sentences about the end of a line, about the costs, and about sources that could not be read.

    Args:
        overview: JSON document of the overview.
    """
    costs = [f"{name}: {value}." for name, value in list_costs(overview)]
    return [*describe_ended_line(overview), *costs, *overview["unavailable"].values()]


def describe_ended_line(overview: JsonObject) -> list[str]:
    """Return the sentence about a line of versions that was ended, as a list; an empty list if there is none.

    Args:
        overview: JSON document of the overview.
    """
    ended = overview.get("ended")
    if not ended:
        return []
    return [
        f"The line of versions was ended on {format_time(ended['when'])}: {ended['why']}. The next version is compared "
        "with no champion; what serves does not change until its promotion."
    ]


def list_costs(overview: JsonObject) -> list[tuple[str, str]]:
    """Return names and values of what is used: minutes, space in the store, and sizes of images.

    Args:
        overview: JSON document of the overview.
    """
    github, store = overview["github"], overview["store"]
    minutes = f"{github['minutes']:,.0f} used by runs in 30 days" if github else "unknown, GitHub was not read"
    costs = [("Minutes", minutes)]
    if store:
        size, versions = format_size(store["bytes"]), format_count(store["versions"], "version")
        costs.append(("Store", f"{size} of {format_size(store['budget'])}, {versions}"))
    images = {it["name"]: it["image_bytes"] for it in overview["environments"] if it["image_bytes"]}
    return costs + [(f"Image in {name}", format_size(size)) for name, size in images.items()]


def format_size(size: int) -> str:
    """Return a size in MiB.

    Args:
        size: Size in bytes.
    """
    return f"{size / 2**20:,.1f} MiB" if size < 100 * 2**20 else f"{size / 2**20:,.0f} MiB"


def format_time(text: str) -> str:
    """Return a time in UTC, to the minute.

    Args:
        text: Time in ISO 8601.
    """
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"


def format_age(then: str, now: str) -> str:
    """Return the age of a time in its largest unit, such as "2 hours ago".

    Args:
        then: Time in ISO 8601.
        now: Current time in ISO 8601.
    """
    minutes = int((datetime.fromisoformat(now) - datetime.fromisoformat(then)).total_seconds() // 60)
    for unit, size in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        if minutes >= size:
            return f"{format_count(minutes // size, unit)} ago"
    return "just now"
