"""Debian's prometheus, nginx and haproxy: as installed, or as `./dev setup` unpacks them under .cache/tools."""

import glob
import os
import shutil

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def tool(name):
    """The path of a program."""
    installed = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    unpacked = glob.glob(os.path.join(ROOT, ".cache", "tools", "*", "usr", "*bin", name))
    if not installed and not unpacked:
        raise AssertionError(f"{name} is neither on the PATH nor under .cache/tools; ./dev setup brings it")
    return installed or unpacked[0]
