"""Our binaries: stripped for the image, debug symbols apart, the libraries that they load, the packages compiled in."""
import pathlib
import re
import shutil
import subprocess

from debian import owners, run

NAMES = ('refund-relay', 'refundctl')


def build_id(path):
    match = re.search(r'Build ID: ([0-9a-f]{40})', run('readelf', '--notes', '--wide', str(path)))
    if not match:
        raise SystemExit(f'{path} has no build id: it cannot be matched with debug symbols (see cmake/hardening.cmake)')
    return match[1]


def split_debug(binary, target, debug_folder):
    """Writes `binary` without symbols to `target`, and the symbols where gdb looks: .build-id/ab/cdef.debug."""
    identity = build_id(binary)
    symbols = debug_folder / '.build-id' / identity[:2] / (identity[2:] + '.debug')
    symbols.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    run('objcopy', '--only-keep-debug', '--compress-debug-sections', str(binary), str(symbols))
    symbols.chmod(0o644)
    shutil.copyfile(binary, target)
    run('strip', '--strip-all', str(target))
    target.chmod(0o755)
    return identity


def libraries(binaries):
    """Absolute paths of every shared library that the loader maps for the binaries, the loader included."""
    found = set()
    for binary in binaries:
        for line in run('ldd', str(binary)).splitlines():
            line = line.strip()
            if 'not found' in line:
                raise SystemExit(f'{binary} needs a library that is not here: {line}')
            match = re.search(r'(/\S+) \(0x', line)
            if match:
                found.add(match[1])
            elif not line.startswith(('linux-vdso.so', 'linux-gate.so')):
                raise SystemExit(f'ldd says about {binary} what this program does not understand: {line}')
    return sorted(found)


def compiled_in(build):
    """Names of the packages whose headers are compiled into our objects, as the build recorded its dependencies."""
    listing = subprocess.run(['ninja', '-C', str(build), '-t', 'deps'], check=True, stdout=subprocess.PIPE, text=True).stdout
    headers = {line.strip() for line in listing.splitlines() if line.startswith('    /usr/')}
    if not headers:
        raise SystemExit(f'{build} has no record of headers: was it built by ninja?')
    return sorted(set(owners(sorted(str(pathlib.PurePath(path)) for path in headers)).values()))
