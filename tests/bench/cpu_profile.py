"""Where a server's CPU goes while it is under load: perf's samples, grouped so that the groups mean something here."""

import collections
import os
import re
import shutil
import subprocess

_LIBRARIES = (
    ("libsqlite3", "SQLite"),
    ("libcrypto", "OpenSSL (HMAC, SHA-256)"),
    ("libgrpc", "gRPC"),
    ("libgpr", "gRPC"),
    ("libabsl", "Abseil"),
    ("libproto", "protobuf"),
    ("libxxhash", "xxHash"),
    ("libstdc++", "libstdc++"),
    ("libc.so", "libc (malloc, memcpy, locks)"),
    ("refund-relay", "refund-relay, with Beast, Asio and RapidJSON, which are headers"),
)
_FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \(([^()]*)\)$")
_SAMPLE = re.compile(r"^\s*(\S.*?)\s+([0-9]+)\s*$")
_OURS = re.compile(r"refund_relay::(?:\(anonymous namespace\)::)?([A-Z]\w+)")


class Profile:
    """Shares of samples by thread, by group and by function."""

    def __init__(self):
        self.samples = 0
        self.groups = collections.Counter()
        self.functions = collections.Counter()
        self._threads = collections.Counter()
        self._outermost = collections.defaultdict(collections.Counter)

    def threads(self):
        """Samples by what runs the thread: the class of ours that is most often the outermost on its stacks, or else
        the thread's name."""
        named = collections.Counter()
        for thread, count in self._threads.items():
            outermost = self._outermost[thread].most_common(1)
            named[outermost[0][0] if outermost else thread[0]] += count
        return named

    def add(self, thread, stack):
        """One sample: of the thread (name, id), with the stack [(symbol, library)], the innermost first."""
        if not stack:
            return
        self.samples += 1
        self._threads[thread] += 1
        ours = next((found for symbol, _ in reversed(stack) if (found := _OURS.search(symbol))), None)
        if ours:
            self._outermost[thread][ours.group(1)] += 1
        symbol, library = stack[0]
        self.groups[_group(stack)] += 1
        if not _is_kernel(library):
            self.functions[f"{_short(symbol)} ({os.path.basename(library)})"] += 1


def _is_kernel(library):
    return library.startswith("[kernel") or library.startswith("[guest") or library.endswith(".ko")


def _group(stack):
    library = stack[0][1]
    if not _is_kernel(library):
        name = os.path.basename(library)
        return next((group for start, group in _LIBRARIES if name.startswith(start)), name)
    for symbol, frame_library in stack:
        if not _is_kernel(frame_library):
            break
        call = re.match(r"(?:__x64_sys_|__arm64_sys_|__se_sys_|ksys_)(\w+)", symbol)
        if call:
            return f"kernel: {call.group(1)}"
        if "page_fault" in symbol:
            return "kernel: page faults"
        if "sysvec" in symbol:
            return "kernel: interrupts"
    return "kernel: other"


def _short(symbol):
    """A C++ symbol without its offset, template arguments and parameters."""
    symbol = re.sub(r"\+0x[0-9a-f]+$", "", symbol).replace("(anonymous namespace)::", "")
    previous = None
    while previous != symbol:
        previous, symbol = symbol, re.sub(r"<[^<>]*>", "", symbol)
    symbol = symbol.split("(", 1)[0] if not symbol.startswith("(") else symbol
    return symbol[-80:]


def record(pid, seconds, folder):
    """Samples a process; call it beside the load. A Profile, or a str that says why there is none."""
    perf = shutil.which("perf")
    if perf is None:
        return "perf is not installed"
    data = os.path.join(folder, "perf.data")
    done = subprocess.run(
        [perf, "record", "-q", "-g", "-F", "997", "-p", str(pid), "-o", data, "--", "sleep", str(seconds)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 60, check=False)
    if done.returncode != 0 or not os.path.exists(data):
        return f"perf cannot record here: {done.stderr.strip()[-300:]}"
    script = subprocess.run(
        [perf, "script", "-i", data, "--fields", "comm,tid,ip,sym,dso"], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, errors="replace", timeout=300, check=False)
    profile = Profile()
    thread, stack = None, []
    for line in script.stdout.splitlines() + [""]:
        frame = _FRAME.match(line)
        if frame:
            stack.append(frame.groups())
        elif not line.strip():
            profile.add(thread, stack)
            thread, stack = None, []
        elif sample := _SAMPLE.match(line):
            thread = sample.groups()
    return profile if profile.samples else f"perf recorded no samples: {script.stderr.strip()[-300:]}"
