"""Looks for bytes in the memory of a running process. It must let us: see --allow_core_dumps."""

import os
import re

_HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) ")


def _writable_regions(pid):
    """What the process can write; without what it keeps out of core dumps: the shadow memory of sanitizers."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        region = None
        for line in file:
            if head := _HEAD.match(line):
                region = (int(head[1], 16), int(head[2], 16)) if head[3].startswith("rw") else None
            elif line.startswith("VmFlags:") and region and "dd" not in line.split():
                yield region


def found_in_memory(pid, texts):
    """Those of the texts (bytes) that stand anywhere in the process's writable memory."""
    found = set()
    overlap = max(map(len, texts))
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        for begin, end in _writable_regions(pid):
            at, tail = begin, b""
            while at < end:
                try:
                    piece = os.pread(memory, min(end - at, 1 << 24), at)
                except OSError:  # a page that is not there
                    piece = b""
                if not piece:
                    break
                found.update(text for text in texts if text in tail + piece)
                tail = piece[-overlap:]
                at += len(piece)
    finally:
        os.close(memory)
    return found
