"""Where figures come from: the machine, its load, and the commit that was measured."""

import os
import platform
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")
    with open("/etc/os-release", encoding="utf-8") as file:
        system = next(line.split("=", 1)[1].strip().strip('"') for line in file if line.startswith("PRETTY_NAME="))
    return f"{os.cpu_count()} cores, {model}; {system}, Linux {platform.release()}"


def load():
    return f"load average before the start {os.getloadavg()[0]:.1f}"


def commit():
    """The commit; `-dirty` if there are changes that are not committed."""
    return subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, check=True
    ).stdout.strip()
