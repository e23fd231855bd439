"""uv works with the settings that this machine has for pip: behind a company's proxy only those name the index."""

import ast
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pip
import pytest

from gitops_ml import checkout, config, index, uv
from gitops_ml.deploying.targets import process
from gitops_ml.errors import ConfigError
from mirror import Mirror, package
from unit.sample import Project

SOURCE = str(Path(uv.__file__).parents[1])
# Nothing answers there.
NOWHERE = "https://127.0.0.1:9/simple"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    """A company's index: alpha in its first part, beta in its second."""
    with Mirror(tmp_path / "mirror") as started:
        started.add("alpha", package("alpha"))
        started.add("beta", package("beta"), "second")
        yield started


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def pip_conf(file: Path, **settings: object) -> Path:
    """Write a configuration of pip."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{name.replace('_', '-')} = {value}" for name, value in settings.items()]
    file.write_text("\n".join(["[global]", *lines, ""]))
    return file


def install(
    home: Path, *packages: str, variables: Mapping[str, object] | None = None, module: str = "gitops_ml.uv"
) -> tuple[set[str], str]:
    """Install into a folder with nothing but a home and these variables; return what is there, and what was printed."""
    env = {"PATH": os.environ["PATH"], "HOME": home, "UV_CACHE_DIR": home / "cache", "UV_HTTP_RETRIES": "0",
           "PYTHONPATH": SOURCE, **(variables or {})}  # fmt: skip
    command = [sys.executable, "-m", module, "pip", "install", "--no-deps", "--target", str(home / "there"), *packages]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=home, env={name: str(env[name]) for name in env}
    )
    return {file.stem for file in (home / "there").glob("*.py")}, done.stderr


def test_uv_alone_does_not_trust_the_index(mirror: Mirror, home: Path) -> None:
    """This is what `gitops-uv` is for: uv reads neither index nor certificate of pip."""
    pip_conf(home / ".config/pip/pip.conf", index_url=mirror.index(), cert=mirror.ca)
    found, printed = install(home, "alpha", variables={"UV_DEFAULT_INDEX": mirror.index()}, module="uv")
    assert found == set()
    assert "invalid peer certificate" in printed


@pytest.mark.parametrize("file", [".config/pip/pip.conf", ".pip/pip.conf", "named.conf"])
def test_index_and_certificate_of_pip_are_handed_on(mirror: Mirror, home: Path, file: str) -> None:
    """From the person's configuration, wherever it lies, or from a named one."""
    settings = pip_conf(home / file, index_url=mirror.index(), cert=mirror.ca)
    named = {"PIP_CONFIG_FILE": settings} if file == "named.conf" else {}
    found, printed = install(home, "alpha", variables=named)
    assert found == {"alpha"}, printed


def test_a_trusted_host_needs_no_certificate(mirror: Mirror, home: Path) -> None:
    """As pip has it, with port or without."""
    pip_conf(home / ".config/pip/pip.conf", index_url=mirror.index(), trusted_host=f"example.com {mirror.host}")
    found, printed = install(home, "alpha")
    assert found == {"alpha"}, printed


def test_a_package_of_an_extra_index_is_found(mirror: Mirror, home: Path) -> None:
    """Of whichever index has the newest, as pip does."""
    mirror.add("alpha", package("alpha", "2.0", {"alpha.py": "", "newer.py": ""}), "second", "2.0")
    pip_conf(
        home / ".config/pip/pip.conf", index_url=mirror.index(), cert=mirror.ca,
        extra_index_url=f"\n  {mirror.index('second')}\n  {mirror.index('third')}",
    )  # fmt: skip
    found, printed = install(home, "alpha", "beta")
    assert found == {"alpha", "beta", "newer"}, printed


def test_a_lock_has_the_hashes_of_the_index(mirror: Mirror, home: Path) -> None:
    """Also where a folder of this machine holds the package; installing takes it from there."""
    pip_conf(home / ".config/pip/pip.conf", index_url=mirror.index(), cert=mirror.ca, find_links=home / "folder")
    (home / "folder").mkdir()
    (home / "folder" / "alpha-1.0-py3-none-any.whl").write_bytes(
        package("alpha", files={"alpha.py": "", "local.py": ""})
    )
    (home / "alpha.in").write_text("alpha\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "UV_CACHE_DIR": str(home / "cache"), "PYTHONPATH": SOURCE}
    lock = _output(
        [sys.executable, "-m", "gitops_ml.uv", *uv.COMPILE, "--generate-hashes", str(home / "alpha.in")], env
    )
    assert hashlib.sha256(package("alpha")).hexdigest() in lock
    assert install(home, "alpha")[0] == {"alpha", "local"}


def test_without_an_index_packages_come_from_folders(mirror: Mirror, home: Path) -> None:
    """`no-index` and `find-links`: no index is asked, not even one that is named."""
    (home / "folder").mkdir()
    (home / "folder" / "gamma-1.0-py3-none-any.whl").write_bytes(package("gamma"))
    pip_conf(
        home / ".config/pip/pip.conf", index_url=mirror.index(), cert=mirror.ca, no_index="true",
        find_links=f"{home / 'empty'} {home / 'folder'}",
    )  # fmt: skip
    (home / "empty").mkdir()
    found, printed = install(home, "gamma")
    assert found == {"gamma"}, printed
    found, printed = install(home, "alpha")
    assert "alpha was not found" in printed
    assert found == {"gamma"}
    assert mirror.asked == []


@pytest.mark.parametrize("variables", ["PIP_INDEX_URL PIP_CERT", "UV_DEFAULT_INDEX SSL_CERT_FILE"])
def test_the_environment_wins(mirror: Mirror, home: Path, variables: str) -> None:
    """Whether it is pip's or uv's own variable."""
    pip_conf(home / ".config/pip/pip.conf", index_url=NOWHERE, cert=home / "another.pem")
    (home / "another.pem").write_bytes(b"")
    name, certificate = variables.split()
    found, printed = install(home, "alpha", variables={name: mirror.index(), certificate: mirror.ca})
    assert found == {"alpha"}, printed


def test_a_broken_configuration_is_a_sentence(home: Path) -> None:
    """It names the file; exit code 3, no traceback."""
    file = home / ".config/pip/pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text("index-url = here\n")
    _, printed = install(home, "alpha")
    assert f"pip's configuration {file} cannot be read" in printed
    assert "Traceback" not in printed


# What is handed on ---------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is set for pip or uv on this machine; return the file that pip's settings may be written to."""
    proxies = uv.VARIABLES["proxy"]
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "SSL_", "HTTP_")) or name in {*index.CERTIFICATES, *proxies}:
            monkeypatch.delenv(name)
    monkeypatch.setattr(index, "_files", lambda: [tmp_path / "pip.conf"])
    return tmp_path / "pip.conf"


def test_where_nothing_is_set_the_machines_certificates_count(alone: Path) -> None:
    """A company's certificate is often installed in the system, and pip trusts what the system does."""
    assert uv.environment() == {"UV_SYSTEM_CERTS": "true"}


def test_a_certificate_that_is_missing_is_none(alone: Path) -> None:
    """The machine's count then, too."""
    pip_conf(alone, cert="/nowhere/ca.pem")
    assert uv.environment() == {"UV_SYSTEM_CERTS": "true"}


@pytest.mark.parametrize(
    ("settings", "variables"),
    [
        ({"index_url": NOWHERE}, {"UV_DEFAULT_INDEX": NOWHERE}),
        ({"pypi_url": NOWHERE}, {"UV_DEFAULT_INDEX": NOWHERE}),
        ({"extra_index_url": "https://a\n  https://b"},
         {"UV_INDEX": "https://a https://b", "UV_INDEX_STRATEGY": "unsafe-best-match"}),
        ({"find_links": "/a\n  /b"}, {"UV_FIND_LINKS": "/a,/b"}),
        ({"trusted_host": "a b"}, {"UV_INSECURE_HOST": "a b"}),
        ({"proxy": "http://ada:word@proxy:3128"}, {"ALL_PROXY": "http://ada:word@proxy:3128"}),
        ({"timeout": "60"}, {"UV_HTTP_TIMEOUT": "60"}),
        ({"default_timeout": "7.5"}, {"UV_HTTP_TIMEOUT": "8"}),
        ({"retries": "9"}, {"UV_HTTP_RETRIES": "9"}),
        ({"client_cert": "/a.pem"}, {"SSL_CLIENT_CERT": "/a.pem"}),
        ({"no_index": "yes", "extra_index_url": "https://a"}, {"UV_DEFAULT_INDEX": uv.EMPTY}),
        ({"no_index": "false"}, {}),
        ({"index_url": ""}, {}),
        ({"no_cache_dir": "true", "disable_pip_version_check": "1"}, {}),
    ],
    ids=lambda value: " ".join(value) or "nothing",
)  # fmt: skip
def test_each_setting_has_its_variable(alone: Path, settings: dict[str, str], variables: dict[str, str]) -> None:
    """Lists are written as uv reads them; what concerns pip alone is left out."""
    pip_conf(alone, **settings)
    assert uv.environment() == {**variables, "UV_SYSTEM_CERTS": "true"}


def test_offline_uv_still_knows_its_cache(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds a package there by the index that it came from, and asks none."""
    pip_conf(alone, no_index="true", find_links="/a")
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert uv.environment() == {"UV_FIND_LINKS": "/a", "UV_SYSTEM_CERTS": "true"}


def test_a_lock_is_not_made_from_folders_beside_an_index(alone: Path) -> None:
    """It would hold the hashes of what lies there: of this system's files, where an index has those of all."""
    pip_conf(alone, find_links="/a", index_url=NOWHERE, extra_index_url="file:///a")
    assert uv.environment(folders=False) == {"UV_DEFAULT_INDEX": NOWHERE, "UV_SYSTEM_CERTS": "true"}
    pip_conf(alone, extra_index_url="file:///a https://b")
    assert uv.environment(folders=False)["UV_INDEX"] == "https://b"
    pip_conf(alone, find_links="/a", no_index="true")
    assert uv.environment(folders=False)["UV_FIND_LINKS"] == "/a"


@pytest.mark.parametrize("variable", [name for names in uv.VARIABLES.values() for name in names])
def test_what_is_set_for_uv_itself_is_left_alone(alone: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Each variable of its own that says the same, under every name that it has."""
    (alone.parent / "ca.pem").touch()
    settings = {name.replace("-", "_"): "1" for name in uv.VARIABLES} | {"cert": str(alone.parent / "ca.pem")}
    pip_conf(alone, **settings)
    before = uv.environment()
    monkeypatch.setenv(variable, str(alone.parent / "ca.pem"))
    (own,) = (names[0] for names in uv.VARIABLES.values() if variable in names)
    assert own in before
    assert own not in uv.environment()


def test_a_certificate_of_another_program_is_handed_on(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip takes that of requests and curl; uv does not."""
    (alone.parent / "ca.pem").touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(alone.parent / "ca.pem"))
    assert uv.environment() == {"SSL_CERT_FILE": str(alone.parent / "ca.pem")}


# Commands that install by themselves ---------------------------------------------------------------------------------


@pytest.fixture
def settled(mirror: Mirror, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process has nothing but pip's configuration; return a lock of a package of the index."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "SSL_")) or name in index.CERTIFICATES:
            monkeypatch.delenv(name)
    settings = pip_conf(home / "named.conf", index_url=mirror.index(), cert=mirror.ca)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("UV_CACHE_DIR", str(home / "cache"))
    lock = home / "lock.txt"
    lock.write_text(mirror.add("alpha", package("alpha")) + "\n")
    return lock


def test_an_environment_of_another_commit_is_installed_so(settled: Path, project: Project) -> None:
    """`reproduce` and the champion's replay behind a company's proxy."""
    python = checkout.environment(config.find(project.root), settled)
    assert subprocess.run([python, "-c", "import alpha"], check=False).returncode == 0


def test_the_environment_of_a_server_is_installed_so(settled: Path, home: Path) -> None:
    """The process target as well."""
    process._install([settled], home / "environments" / "one")
    python = home / "environments" / "one" / "bin" / "python"
    assert subprocess.run([python, "-c", "import alpha"], check=False).returncode == 0


# pip itself ----------------------------------------------------------------------------------------------------------

CASES: dict[str, dict[str, str]] = {
    "nothing": {},
    "global": {"xdg/pip/pip.conf": "[global]\nindex-url = https://g\ntimeout = 5\n"},
    "two globals": {"xdg/pip/pip.conf": "[global]\ntimeout = 5\n", "xdg2/pip/pip.conf": "[global]\ntimeout = 6\n"},
    "user over global": {
        "xdg/pip/pip.conf": "[global]\ntimeout = 5\nretries = 2\n",
        "home/.pip/pip.conf": "[global]\ntimeout = 6\nproxy = http://legacy\n",
        "home/.config/pip/pip.conf": "[global]\ntimeout = 7\n",
    },
    "environment over user": {
        "home/.config/pip/pip.conf": "[global]\ntimeout = 7\nretries = 2\n",
        "venv/pip.conf": "[global]\ntimeout = 8\n",
    },
    "a named file": {
        "xdg/pip/pip.conf": "[global]\nproxy = http://global\n",
        "home/.config/pip/pip.conf": "[global]\ntimeout = 7\nretries = 2\n",
        "venv/pip.conf": "[global]\ntimeout = 8\n",
        "PIP_CONFIG_FILE": "[global]\ntimeout = 9\n",
    },
    "a section for install": {
        "home/.config/pip/pip.conf": "[install]\ntimeout = 7\nfind_links =\n  /a\n  /b\n[download]\nretries = 1\n",
        "venv/pip.conf": "[global]\ntimeout = 8\n",
    },
    "an empty value": {"home/.config/pip/pip.conf": "[global]\ntimeout = 7\n[install]\ntimeout =\n"},
}
VARIABLES: dict[str, tuple[str, dict[str, str]]] = {
    "variables": ("user over global", {"PIP_TIMEOUT": "1", "PIP_PROXY": "", "PIP_FIND_LINKS": "/a /b"}),
    "no file": ("user over global", {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "4"}),
    "a named file that is missing": ("environment over user", {"PIP_CONFIG_FILE": "/nowhere/pip.conf"}),
}


@pytest.mark.parametrize(
    ("files", "variables"),
    [*((files, {}) for files in CASES.values()), *((CASES[name], variables) for name, variables in VARIABLES.values())],
    ids=[*CASES, *VARIABLES],
)
@pytest.mark.slow
def test_settings_are_those_that_pip_reads(tmp_path: Path, files: dict[str, str], variables: dict[str, str]) -> None:
    """Each file that pip knows, with pip's precedence, compared with `pip config list`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"),
           "PYTHONPATH": f"{SOURCE}:{Path(pip.__file__).parents[1]}",
           "XDG_CONFIG_DIRS": f"{tmp_path / 'xdg'}:{tmp_path / 'xdg2'}"}  # fmt: skip
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if name == "PIP_CONFIG_FILE":
            env[name] = str(file)
    command = [str(tmp_path / "venv" / "bin" / "python"), "-c", "import json; from gitops_ml import index; "
               "print(json.dumps(index.settings()))"]  # fmt: skip
    ours = json.loads(_output(command, {**env, **variables}))
    listed = _output([command[0], "-m", "pip", "config", "list"], {**env, **variables})
    named = ("timeout", "retries", "proxy", "index-url", "find-links")
    assert {name: ours[name] for name in named if name in ours} == _merged(listed, named)


def _output(command: list[str], env: dict[str, str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout


def _merged(listed: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return what counts for `pip install` of the lines that `pip config list` prints; empty values do not."""
    values = {key: ast.literal_eval(value) for key, value in (line.split("=", 1) for line in listed.splitlines())}
    sections = [
        {name: values.get(f"{section}.{name}", "") for name in names} for section in ("global", "install", ":env:")
    ]
    return {name: value for each in sections for name, value in each.items() if value}


def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A section twice, or bytes that are no text."""
    file = tmp_path / "pip.conf"
    monkeypatch.setattr(index, "_files", lambda: [file])
    for content in (b"[global]\na = 1\na = 2\n", b"[global]\na = \xff\n"):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match=r"pip\.conf cannot be read"):
            index.settings()
