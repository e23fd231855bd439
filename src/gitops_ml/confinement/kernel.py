"""Barriers of the Linux kernel for the calling process and all that it starts: Landlock, seccomp, no capabilities.

The numbers are those of the kernel's user interface: include/uapi/linux/{landlock,seccomp,prctl,capability}.h, and the
tables of system calls of x86-64 and of arm64. Landlock: M. Salaun, https://docs.kernel.org/userspace-api/landlock.html.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 22, 24, 36, 38
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_VERSION_FLAG, LANDLOCK_PATH_BENEATH = 1, 1
# Rights of Landlock to files, in the order of their bits; later kernels know more of them.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = (1 << bit for bit in range(4))
TRUNCATE, IOCTL = 1 << 14, 1 << 15
FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
READING = EXECUTE | READ_FILE | READ_DIR
# Rights that a rule about a single file may have.
RIGHTS_OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL
TCP = 0b11  # bind and connect; since version 4
SCOPES = 0b11  # abstract Unix sockets and signals; since version 6
ALLOW, DENY, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
X32 = 0x40000000  # bit of the system calls of x86-64's second table


@dataclass(frozen=True)
class Machine:
    """System calls of a processor architecture.

    Attributes:
        audit: Number by which a filter knows the architecture.
        denied: System calls that are denied.
        others: System calls whose first argument (or, for the second, whose second one) must be 0: only the process
            itself may be changed.
        capset: System call that sets the capabilities.
    """

    audit: int
    denied: tuple[int, ...]
    others: tuple[tuple[int, int], ...]
    capset: int


# socket, ptrace, process_vm_readv and _writev, io_uring_setup, pidfd_getfd, add_key, request_key, keyctl, unshare,
# setns, mount, umount2, pivot_root, chroot, move_mount, open_tree, fsopen, mount_setattr, bpf, userfaultfd,
# perf_event_open, clock_settime, settimeofday, adjtimex, clock_adjtime; then prlimit64 and setpriority.
MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        (41, 101, 310, 311, 425, 438, 248, 249, 250, 272, 308, 165, 166, 155, 161, 429, 428, 430, 442, 321, 323, 298,
         227, 164, 159, 305),
        ((302, 0), (141, 1)), 126,
    ),
    "aarch64": Machine(
        0xC00000B7,
        (198, 117, 270, 271, 425, 438, 217, 218, 219, 97, 268, 40, 39, 41, 51, 429, 428, 430, 442, 280, 282, 241,
         112, 170, 171, 266),
        ((261, 0), (140, 1)), 91,
    ),
}  # fmt: skip


@cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def _prctl(option: int, *arguments: int) -> None:
    values = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    _check(_libc().prctl(ctypes.c_int(option), *values), f"prctl {option}")


def landlock_version() -> int:
    """Return the version of Landlock that the kernel has; 0 without Landlock."""
    if platform.system() != "Linux" or platform.machine() not in MACHINES:
        return 0
    return max(0, int(_libc().syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION_FLAG)))


def become_subreaper() -> None:
    """Make descendants of this process its children when their parents end, so that it can find and end them."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def hide_memory() -> None:
    """Let other processes of the user not read the memory, environment and open files of this process."""
    _prctl(PR_SET_DUMPABLE, 0)


def show_memory() -> None:
    """Undo `hide_memory`, in a process that was forked."""
    _prctl(PR_SET_DUMPABLE, 1)


def forbid_privileges() -> None:
    """Let no program that is started have more privileges than this process, such as sudo; drop those of root."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    for capability in range(64):
        try:
            _prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # the kernel has no further capability, or this process may not drop it and has none
            break
    machine = MACHINES.get(platform.machine())
    if machine:
        header, none = struct.pack("Ii", 0x20080522, 0), bytes(24)
        _check(int(_libc().syscall(machine.capset, header, none)), "capset")


def restrict_files(readable: Iterable[Path], writable: Iterable[Path], version: int) -> None:
    """Allow only files below some paths, and, as far as the kernel can, no network, signal or socket outside.

    Threads that run already are not restricted, so it must be called before another thread is started.

    Args:
        readable: Files and folders that may be read, and whose programs may be started; those that do not exist are
            left out.
        writable: Files and folders that may also be written.
        version: Version of Landlock, at least 1.
    """
    handled = max(rights for since, rights in FILE_RIGHTS.items() if since <= version)
    attributes = struct.pack("QQQ", handled, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _check(
        int(_libc().syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)), "landlock_create_ruleset"
    )
    try:
        for rights, paths in ((READING & handled, readable), (handled, writable)):
            for path in paths:
                with suppress(FileNotFoundError):
                    _allow(ruleset, path, rights)
        _check(int(_libc().syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)), "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not path.is_dir():
            rights &= RIGHTS_OF_A_FILE
        rule = struct.pack("=Qi", rights, descriptor)
        _check(int(_libc().syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_PATH_BENEATH, rule, 0)), f"landlock: {path}")
    finally:
        os.close(descriptor)


def forbid_calls() -> None:
    """Deny system calls by a seccomp filter: sockets, other processes' memory, mounts, clocks, new namespaces.

    Raises:
        OSError: The kernel refuses the filter, or the architecture is unknown.
    """
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(errno.ENOSYS, f"no table of system calls for {platform.machine()}")
    program = b"".join(_filter(machine))
    code = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    filled = Program(len(program) // 8, ctypes.addressof(code))
    result = _libc().prctl(
        PR_SET_SECCOMP, ctypes.c_ulong(2), ctypes.byref(filled), ctypes.c_ulong(0), ctypes.c_ulong(0)
    )
    _check(result, "seccomp")


def _filter(machine: Machine) -> list[bytes]:
    """Return the instructions of a filter for classic BPF: load a word, compare and jump, return."""

    def instruction(code: int, true: int, false: int, value: int) -> bytes:
        return struct.pack("HBBI", code, true, false, value)

    load, equal, at_least, end = 0x20, 0x15, 0x35, 0x06
    # Offsets in struct seccomp_data: the number at 0, the architecture at 4, argument n at 16 + 8 n (its low word).
    lines = [instruction(load, 0, 0, 4), instruction(equal, 1, 0, machine.audit), instruction(end, 0, 0, KILL),
             instruction(load, 0, 0, 0)]  # fmt: skip
    if machine.audit == MACHINES["x86_64"].audit:
        lines += [instruction(at_least, 0, 1, X32), instruction(end, 0, 0, DENY)]
    for number in machine.denied:
        lines += [instruction(equal, 0, 1, number), instruction(end, 0, 0, DENY)]
    for number, argument in machine.others:
        lines += [instruction(equal, 0, 4, number), instruction(load, 0, 0, 16 + 8 * argument),
                  instruction(equal, 1, 0, 0), instruction(end, 0, 0, DENY), instruction(end, 0, 0, ALLOW)]  # fmt: skip
    return [*lines, instruction(end, 0, 0, ALLOW)]
