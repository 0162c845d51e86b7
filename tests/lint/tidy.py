"""Runs clang-tidy over every source of ours in a build tree, and skips those that were clean before and have not changed.

Usage: tidy.py BUILD_DIR CACHE_DIR JOBS. "Not changed" means: the same preprocessed text (comments too, they may hold
NOLINT), the same flags, the same .clang-tidy, the same clang-tidy. Prints findings; exit code 1 if there are any.
"""

import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys

TIDY = "clang-tidy-19"
OURS = ("client/", "server/", "tests/")


def our_commands(build_dir):
    """Yields (source, compile command as a list, its folder) for our own sources."""
    root = os.getcwd() + os.sep
    with open(os.path.join(build_dir, "compile_commands.json"), encoding="utf-8") as file:
        for entry in json.load(file):
            source = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
            if source.startswith(root) and source[len(root) :].startswith(OURS):
                yield source, shlex.split(entry["command"]), entry["directory"]


def fingerprint(command, folder, salt):
    """Names everything that clang-tidy's answer depends on; None if the source does not even preprocess."""
    words = [word for word in command if os.path.basename(word) != "ccache"]
    output = words.index("-o")
    del words[output : output + 2]
    done = subprocess.run([*words, "-E", "-C", "-P", "-w"], cwd=folder, capture_output=True, check=False)
    if done.returncode != 0:
        return None
    return hashlib.sha256(salt + "\0".join(words).encode() + done.stdout).hexdigest()


def check(source, command, folder, build_dir, cache_dir, salt):
    """Returns what clang-tidy says of the source; empty when it is clean."""
    name = fingerprint(command, folder, salt)
    mark = os.path.join(cache_dir, name) if name else None
    if mark and os.path.exists(mark):
        os.utime(mark)
        return ""
    done = subprocess.run([TIDY, "-p", build_dir, "--quiet", source], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return done.stdout or done.stderr
    if mark:
        with open(mark, "w", encoding="utf-8"):
            pass
    return ""


def main():
    build_dir, cache_dir, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    os.makedirs(cache_dir, exist_ok=True)
    salt = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    with open(".clang-tidy", "rb") as file:
        salt += file.read()
    findings = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(check, *entry, build_dir, cache_dir, salt) for entry in our_commands(build_dir)]
        for done in concurrent.futures.as_completed(running):
            if done.result():
                findings += 1
                print(done.result(), flush=True)
    print(f"clang-tidy: {len(running)} sources, {findings} with findings")
    return 1 if findings or not running else 0


if __name__ == "__main__":
    sys.exit(main())
