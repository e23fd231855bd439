"""What a confined process of the tests does: honest work, and attacks, which return what they have reached."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gitops_ml.confinement.channel import Requests


def _write(arguments: dict[str, Any]) -> Any:
    Path(arguments["path"]).write_text("forged")
    return "written"


def _replace_through_a_link(arguments: dict[str, Any]) -> Any:
    Path("link").symlink_to(arguments["path"])
    Path("link").write_text("forged")
    return "written"


def _hard_link(arguments: dict[str, Any]) -> Any:
    os.link(arguments["path"], "hard")
    Path("hard").write_text("forged")
    return "written"


def _truncate(arguments: dict[str, Any]) -> Any:
    os.truncate(arguments["path"], 0)
    return "truncated"


def _remove(arguments: dict[str, Any]) -> Any:
    os.unlink(arguments["path"])
    return "removed"


def _read(arguments: dict[str, Any]) -> Any:
    return Path(arguments["path"]).read_text()


def _list(arguments: dict[str, Any]) -> Any:
    return os.listdir(arguments["path"])


def _environment_of(arguments: dict[str, Any]) -> Any:
    return Path(f"/proc/{arguments['process']}/environ").read_bytes().decode()


def _folder_of(arguments: dict[str, Any]) -> Any:
    return os.listdir(f"/proc/{arguments['process']}/cwd")


def _descriptors_of(arguments: dict[str, Any]) -> Any:
    """Open what the process has open; the numbers alone may be listed."""
    folder = f"/proc/{arguments['process']}/fd"
    return [os.open(f"{folder}/{number}", os.O_RDONLY) for number in os.listdir(folder)]


def _memory_of(arguments: dict[str, Any]) -> Any:
    with open(f"/proc/{arguments['process']}/mem", "rb") as file:
        return str(file)


def _trace(arguments: dict[str, Any]) -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, arguments["process"], 0, 0) < 0:  # PTRACE_ATTACH
        raise PermissionError(ctypes.get_errno())
    return "attached"


def _signal(arguments: dict[str, Any]) -> Any:
    os.kill(arguments["process"], signal.SIGCONT)
    return "sent"


def _limit(arguments: dict[str, Any]) -> Any:
    import resource

    resource.prlimit(arguments["process"], resource.RLIMIT_NOFILE, (64, 64))
    return "limited"


def _renice(arguments: dict[str, Any]) -> Any:
    os.setpriority(os.PRIO_PROCESS, arguments["process"], 19)
    return "slower"


def _connect(arguments: dict[str, Any]) -> Any:
    with socket.create_connection(("127.0.0.1", arguments["port"]), 2):
        return "connected"


def _datagram(arguments: dict[str, Any]) -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"secret", ("127.0.0.1", arguments["port"]))


def _unix_socket(arguments: dict[str, Any]) -> Any:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(arguments["path"])
        return "connected"


def _gain_privileges(arguments: dict[str, Any]) -> Any:
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return "root's" if int(status["CapEff"], 16) or status["NoNewPrivs"] != "1" else _denied()


def _denied() -> Any:
    raise PermissionError("no capability")


def _mount(arguments: dict[str, Any]) -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/mnt", b"tmpfs", 0, None) < 0:
        raise PermissionError(ctypes.get_errno())
    return "mounted"


def _set_the_clock(arguments: dict[str, Any]) -> Any:
    time.clock_settime(time.CLOCK_REALTIME, time.time())
    return "set"


def _by_another_program(arguments: dict[str, Any]) -> Any:
    done = subprocess.run(["/bin/sh", "-c", f"echo forged > {arguments['path']}"], capture_output=True, check=False)
    if done.returncode:
        raise PermissionError(done.stderr.decode())
    return "written"


def _by_a_thread(arguments: dict[str, Any]) -> Any:
    found: list[Any] = []

    def attempt() -> None:
        try:
            found.append(_write(arguments))
        except PermissionError as error:
            found.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    if isinstance(found[0], PermissionError):
        raise found[0]
    return found[0]


def _daemon(arguments: dict[str, Any]) -> Any:
    """Leave a process that is no child of this one, in a session of its own; return its number."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        child = os.fork()
        if child:
            os.write(writing, str(child).encode())
            os._exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(0.01)
            if arguments.get("spawn") and os.fork() == 0:
                time.sleep(60)
    os.wait()
    return int(os.read(reading, 20))


def _print_without_end(arguments: dict[str, Any]) -> Any:
    for _ in range(arguments["mib"]):
        sys.stdout.write("x" * 2**20)
    print("\nthe last line", flush=True)
    return "printed"


def _work(arguments: dict[str, Any]) -> Any:
    """What honest code does: processes, threads, temporary files, programs, own files."""
    import tempfile
    from concurrent.futures import ThreadPoolExecutor
    from multiprocessing import get_context

    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GridSearchCV

    with get_context("fork").Pool(2) as pool, ThreadPoolExecutor(2) as threads:
        squares = [*pool.map(abs, [-1, -2]), *threads.map(abs, [-3])]
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    Path("own.txt").write_text("mine")
    rows, labels = load_iris(return_X_y=True)
    search = GridSearchCV(RandomForestClassifier(5, n_jobs=2, random_state=0), {"max_depth": [1, 3]}, n_jobs=2)
    score = search.fit(rows, labels).score(rows, labels)
    printed = subprocess.run([sys.executable, "-c", "print('hello')"], capture_output=True, check=True).stdout.decode()
    return {"squares": squares, "score": score > 0.9, "printed": printed.strip()}


def _raise(arguments: dict[str, Any]) -> Any:
    raise ValueError("your\nmessage")


def _die(arguments: dict[str, Any]) -> Any:
    print("about to die", flush=True)
    os._exit(3)


ATTACKS: dict[str, Callable[[dict[str, Any]], Any]] = {
    name.removeprefix("_").replace("_", " "): each for name, each in dict(globals()).items()
    if name.startswith("_") and callable(each) and not name.startswith("__")
}  # fmt: skip


def answer_all(requests: Requests) -> None:
    """Answer the requests of the test."""
    while request := requests.receive():
        arguments, data = request
        name = arguments["do"]
        if name == "send bytes":
            requests.answer(bytes(arguments["count"]))
            continue
        if name == "send raw":
            requests._socket.sendall(bytes.fromhex(arguments["hex"]))
            continue
        try:
            requests.answer({"reached": ATTACKS[name](arguments), "received": len(data)})
        except BaseException as error:  # the test looks at it
            requests.fail(error)
