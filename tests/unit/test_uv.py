"""uv uses the settings of pip on this machine: behind a company's proxy, only they name the index."""

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

from gitops_ml import checkout, config, pip_settings, uv
from gitops_ml.deploying.targets import process
from gitops_ml.errors import ConfigError
from package_index import PackageIndex, package
from unit.sample import Project

SOURCE = str(Path(uv.__file__).parents[1])
# A URL without a server.
NO_SERVER = "https://127.0.0.1:9/simple"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[PackageIndex]:
    """A company's indexes: the first has alpha, the second has beta."""
    with PackageIndex(tmp_path / "mirror") as started:
        started.add("alpha", package("alpha"))
        started.add("beta", package("beta"), "second")
        yield started


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Home folder of a user."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def pip_conf(file: Path, **settings: object) -> Path:
    """Write a configuration file of pip."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{name.replace('_', '-')} = {value}" for name, value in settings.items()]
    file.write_text("\n".join(["[global]", *lines, ""]))
    return file


def install(
    home: Path, *packages: str, variables: Mapping[str, object] | None = None, module: str = "gitops_ml.uv"
) -> tuple[set[str], str]:
    """Install packages with a home folder and these variables only; return the installed modules, and the output."""
    env = {"PATH": os.environ["PATH"], "HOME": home, "UV_CACHE_DIR": home / "cache", "UV_HTTP_RETRIES": "0",
           "PYTHONPATH": SOURCE, **(variables or {})}  # fmt: skip
    command = [
        sys.executable,
        "-m",
        module,
        "pip",
        "install",
        "--no-deps",
        "--target",
        str(home / "installed"),
        *packages,
    ]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=home, env={name: str(env[name]) for name in env}
    )
    return {file.stem for file in (home / "installed").glob("*.py")}, done.stderr


def test_uv_alone_does_not_trust_the_index(mirror: PackageIndex, home: Path) -> None:
    """uv reads neither the index nor the certificate of pip, which is why `gitops-uv` exists."""
    pip_conf(home / ".config/pip/pip.conf", index_url=mirror.index(), cert=mirror.ca)
    installed, output = install(home, "alpha", variables={"UV_DEFAULT_INDEX": mirror.index()}, module="uv")
    assert installed == set()
    assert "invalid peer certificate" in output


@pytest.mark.parametrize("file", [".config/pip/pip.conf", ".pip/pip.conf", "named.conf"])
def test_index_and_certificate_of_pip_are_passed_to_uv(mirror: PackageIndex, home: Path, file: str) -> None:
    """They are read from each of the user's files, or from the file of PIP_CONFIG_FILE."""
    settings = pip_conf(home / file, index_url=mirror.index(), cert=mirror.ca)
    variables = {"PIP_CONFIG_FILE": settings} if file == "named.conf" else {}
    installed, output = install(home, "alpha", variables=variables)
    assert installed == {"alpha"}, output


def test_a_trusted_host_needs_no_certificate(mirror: PackageIndex, home: Path) -> None:
    """It is named with or without a port, as in pip."""
    pip_conf(home / ".config/pip/pip.conf", index_url=mirror.index(), trusted_host=f"example.com {mirror.host}")
    installed, output = install(home, "alpha")
    assert installed == {"alpha"}, output


def test_a_package_of_an_extra_index_is_found(mirror: PackageIndex, home: Path) -> None:
    """The newest version of all indexes is installed, as by pip."""
    mirror.add("alpha", package("alpha", "2.0", {"alpha.py": "", "newer.py": ""}), "second", "2.0")
    pip_conf(
        home / ".config/pip/pip.conf", index_url=mirror.index(), cert=mirror.ca,
        extra_index_url=f"\n  {mirror.index('second')}\n  {mirror.index('third')}",
    )  # fmt: skip
    installed, output = install(home, "alpha", "beta")
    assert installed == {"alpha", "beta", "newer"}, output


def test_a_lock_has_the_hashes_of_the_index(mirror: PackageIndex, home: Path) -> None:
    """A local folder with the package does not change them; the installation uses the folder."""
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


def test_without_an_index_packages_are_installed_from_folders(mirror: PackageIndex, home: Path) -> None:
    """`no-index` and `find-links` in force, no index is accessed, not even one that is configured."""
    (home / "folder").mkdir()
    (home / "folder" / "gamma-1.0-py3-none-any.whl").write_bytes(package("gamma"))
    pip_conf(
        home / ".config/pip/pip.conf", index_url=mirror.index(), cert=mirror.ca, no_index="true",
        find_links=f"{home / 'empty'} {home / 'folder'}",
    )  # fmt: skip
    (home / "empty").mkdir()
    installed, output = install(home, "gamma")
    assert installed == {"gamma"}, output
    installed, output = install(home, "alpha")
    assert "alpha was not found" in output
    assert installed == {"gamma"}
    assert mirror.requested_paths == []


@pytest.mark.parametrize("variables", ["PIP_INDEX_URL PIP_CERT", "UV_DEFAULT_INDEX SSL_CERT_FILE"])
def test_environment_variables_take_precedence(mirror: PackageIndex, home: Path, variables: str) -> None:
    """Both pip's and uv's variables do."""
    pip_conf(home / ".config/pip/pip.conf", index_url=NO_SERVER, cert=home / "another.pem")
    (home / "another.pem").write_bytes(b"")
    name, certificate = variables.split()
    installed, output = install(home, "alpha", variables={name: mirror.index(), certificate: mirror.ca})
    assert installed == {"alpha"}, output


def test_an_invalid_configuration_is_an_error(home: Path) -> None:
    """The message names the file, without a traceback."""
    file = home / ".config/pip/pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text("index-url = here\n")
    _, output = install(home, "alpha")
    assert f"pip's configuration {file} cannot be read" in output
    assert "Traceback" not in output


# Variables ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only configuration file of pip, which does not exist yet; no variable is set for pip or uv."""
    proxies = uv.VARIABLES["proxy"]
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "SSL_", "HTTP_")) or name in {*pip_settings.CERTIFICATES, *proxies}:
            monkeypatch.delenv(name)
    monkeypatch.setattr(pip_settings, "_files", lambda: [tmp_path / "pip.conf"])
    return tmp_path / "pip.conf"


def test_the_certificates_of_the_system_are_the_default(settings_file: Path) -> None:
    """A company's certificate is often installed in the system, whose certificates pip trusts."""
    assert uv.environment() == {"UV_SYSTEM_CERTS": "true"}


def test_a_missing_certificate_is_ignored(settings_file: Path) -> None:
    """The certificates of the system are used instead."""
    pip_conf(settings_file, cert="/missing/ca.pem")
    assert uv.environment() == {"UV_SYSTEM_CERTS": "true"}


@pytest.mark.parametrize(
    ("settings", "variables"),
    [
        ({"index_url": NO_SERVER}, {"UV_DEFAULT_INDEX": NO_SERVER}),
        ({"pypi_url": NO_SERVER}, {"UV_DEFAULT_INDEX": NO_SERVER}),
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
def test_each_setting_has_its_variable(
    settings_file: Path, settings: dict[str, str], variables: dict[str, str]
) -> None:
    """Lists have the format of uv; settings that only pip has are left out."""
    pip_conf(settings_file, **settings)
    assert uv.environment() == {**variables, "UV_SYSTEM_CERTS": "true"}


def test_uv_finds_its_cache_offline(settings_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is not changed, for uv finds a package in its cache by the index of the download."""
    pip_conf(settings_file, no_index="true", find_links="/a")
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert uv.environment() == {"UV_FIND_LINKS": "/a", "UV_SYSTEM_CERTS": "true"}


def test_a_lock_is_not_compiled_from_local_folders(settings_file: Path) -> None:
    """It would contain the hashes of this system's files only, while an index has those of all systems."""
    pip_conf(settings_file, find_links="/a", index_url=NO_SERVER, extra_index_url="file:///a")
    assert uv.environment(folders=False) == {"UV_DEFAULT_INDEX": NO_SERVER, "UV_SYSTEM_CERTS": "true"}
    pip_conf(settings_file, extra_index_url="file:///a https://b")
    assert uv.environment(folders=False)["UV_INDEX"] == "https://b"
    pip_conf(settings_file, find_links="/a", no_index="true")
    assert uv.environment(folders=False)["UV_FIND_LINKS"] == "/a"


@pytest.mark.parametrize("variable", [name for names in uv.VARIABLES.values() for name in names])
def test_variables_of_uv_take_precedence(settings_file: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Each variable of uv replaces a setting of pip, by each of its names."""
    (settings_file.parent / "ca.pem").touch()
    settings = {name.replace("-", "_"): "1" for name in uv.VARIABLES} | {"cert": str(settings_file.parent / "ca.pem")}
    pip_conf(settings_file, **settings)
    before = uv.environment()
    monkeypatch.setenv(variable, str(settings_file.parent / "ca.pem"))
    (name,) = (names[0] for names in uv.VARIABLES.values() if variable in names)
    assert name in before
    assert name not in uv.environment()


def test_the_certificate_of_another_program_is_passed_to_uv(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip uses the variables of requests and curl; uv does not."""
    (settings_file.parent / "ca.pem").touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(settings_file.parent / "ca.pem"))
    assert uv.environment() == {"SSL_CERT_FILE": str(settings_file.parent / "ca.pem")}


# Commands that install packages ---------------------------------------------------------------------------------------


@pytest.fixture
def lock(mirror: PackageIndex, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock with a package of the company's index, which only pip's configuration names."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "SSL_")) or name in pip_settings.CERTIFICATES:
            monkeypatch.delenv(name)
    settings = pip_conf(home / "named.conf", index_url=mirror.index(), cert=mirror.ca)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("UV_CACHE_DIR", str(home / "cache"))
    file = home / "lock.txt"
    file.write_text(mirror.add("alpha", package("alpha")) + "\n")
    return file


def test_the_environment_of_another_commit_is_installed_from_the_index(lock: Path, project: Project) -> None:
    """`reproduce` and scoring by the champion work behind a company's proxy."""
    python = checkout.cached_environment(config.find_repository(project.root), lock)
    assert subprocess.run([python, "-c", "import alpha"], check=False).returncode == 0


def test_the_environment_of_a_server_is_installed_from_the_index(lock: Path, home: Path) -> None:
    """The process target installs it."""
    process._install([lock], home / "environments" / "one")
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
    "a named file that is missing": ("environment over user", {"PIP_CONFIG_FILE": "/missing/pip.conf"}),
}


@pytest.mark.parametrize(
    ("files", "variables"),
    [*((files, {}) for files in CASES.values()), *((CASES[name], variables) for name, variables in VARIABLES.values())],
    ids=[*CASES, *VARIABLES],
)
@pytest.mark.slow
def test_settings_are_those_that_pip_reads(tmp_path: Path, files: dict[str, str], variables: dict[str, str]) -> None:
    """Each configuration file of pip, with pip's precedence, compared with `pip config list`."""
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
    command = [str(tmp_path / "venv" / "bin" / "python"), "-c", "import json; from gitops_ml import pip_settings; "
               "print(json.dumps(pip_settings.read_settings()))"]  # fmt: skip
    actual = json.loads(_output(command, {**env, **variables}))
    listed = _output([command[0], "-m", "pip", "config", "list"], {**env, **variables})
    names = ("timeout", "retries", "proxy", "index-url", "find-links")
    assert {name: actual[name] for name in names if name in actual} == _merged(listed, names)


def _output(command: list[str], env: dict[str, str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout


def _merged(listed: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return the settings for `pip install` from the lines of `pip config list`, without empty values."""
    values = {key: ast.literal_eval(value) for key, value in (line.split("=", 1) for line in listed.splitlines())}
    sections = [
        {name: values.get(f"{section}.{name}", "") for name in names} for section in ("global", "install", ":env:")
    ]
    return {name: value for each in sections for name, value in each.items() if value}


def test_an_unreadable_configuration_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key twice, or bytes that are not text."""
    file = tmp_path / "pip.conf"
    monkeypatch.setattr(pip_settings, "_files", lambda: [file])
    for content in (b"[global]\na = 1\na = 2\n", b"[global]\na = \xff\n"):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match=r"pip\.conf cannot be read"):
            pip_settings.read_settings()
