"""The first thing that runs in each service's process: ties its life to the supervisor's, then becomes the service.

Run as a script by path and with the standard library only, so that it costs a few hundredths of a second. Three things
are done here because they must be done in the new process: the kernel is told to signal it when the supervisor dies
(even by kill -9), it gives up root where the engine refuses root, and, with `--leash`, it stays as the parent of a
service that has children of its own, takes in whoever they leave behind, and ends them all together.
"""

import argparse
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
NOTICED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Do what the arguments say, and become the command; with a leash, return its exit code."""
    options = _options()
    for stop in (signal.SIGTERM, signal.SIGINT):  # a shell's background job ignores SIGINT, and so would the service
        signal.signal(stop, signal.SIG_DFL)
    if options.uid is not None:
        _give_up_root(options.uid, keep_paths=options.keep_paths)
    if options.leash is not None:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _die_with(options.parent, signal.Signals(options.signal))
    if options.leash is None:
        _become(options.command)
    return _hold(options.command, options.leash)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True, help="process whose death ends this one")
    parser.add_argument("--signal", type=int, required=True, help="signal that the parent's death sends")
    parser.add_argument("--uid", type=int, help="user to become")
    parser.add_argument("--keep-paths", action="store_true", help="reach files below folders closed to that user")
    parser.add_argument("--leash", type=float, help="stay as parent; seconds that the group has to end")
    parser.add_argument("command", nargs="+", help="absolute path of the program, and its arguments")
    return parser.parse_args()


def _become(command: list[str]) -> NoReturn:
    os.execv(command[0], command)  # noqa: S606


def _prctl(option: int, *values: int) -> None:
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {option}: {os.strerror(number)}")


def _die_with(parent: int, with_signal: signal.Signals) -> None:
    _prctl(PR_SET_PDEATHSIG, with_signal)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)


def _give_up_root(uid: int, *, keep_paths: bool) -> None:
    """Become `uid`, in no group of root's; with `keep_paths`, keep the one capability that opens closed folders."""
    kept = _path_capabilities() if keep_paths else 0
    if kept:
        _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)  # access(2) would otherwise leave the capability out
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if kept:
        _hold_capabilities(kept)


def _path_capabilities() -> int:
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    held = int(status["CapPrm"], 16)
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        if held & (1 << capability):
            return 1 << capability
    return 0


def _hold_capabilities(mask: int) -> None:
    """Have `mask` and nothing else, across exec too."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if libc.capset(header, data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, mask.bit_length() - 1)


def _hold(command: list[str], seconds: float) -> int:
    """Run the command as a child, pass signals on, and leave no descendant behind."""
    signal.pthread_sigmask(signal.SIG_BLOCK, NOTICED)
    leash = os.getpid()
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, NOTICED)
        _die_with(leash, signal.SIGKILL)
        _become(command)
    code: int | None = None
    deadline: float | None = None
    while code is None:
        noticed = signal.sigtimedwait(NOTICED, 0.5)
        if noticed is not None and noticed.si_signo != signal.SIGCHLD and deadline is None:
            deadline = time.monotonic() + seconds
            _signal({child}, signal.Signals(noticed.si_signo))
        if deadline is not None and time.monotonic() > deadline:
            _signal({child}, signal.SIGKILL)
        code = _reaped().get(child)
    _end_descendants(leash, seconds)
    return code if code >= 0 else 128 - code


def _end_descendants(ancestor: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    _signal(_descendants(ancestor), signal.SIGTERM)
    while left := _descendants(ancestor):
        if time.monotonic() > deadline:
            _signal(left, signal.SIGKILL)
        signal.sigtimedwait(NOTICED, 0.05)
        _reaped()


def _reaped() -> dict[int, int]:
    """The exit codes of the children that have ended; one that a signal ended has its number below zero."""
    ended: dict[int, int] = {}
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if process == 0:
            return ended
        ended[process] = os.waitstatus_to_exitcode(status)


def _descendants(ancestor: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    waiting = [ancestor]
    while waiting:
        for process in children.get(waiting.pop(), []):
            found.add(process)
            waiting.append(process)
    return found


def _signal(processes: Iterable[int], which: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, which)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    sys.exit(main())
