"""What dpkg knows: which package owns a file, its control stanza, its copyright file, its checksums."""
import os
import pathlib
import subprocess

DPKG_INFO = pathlib.Path('/var/lib/dpkg/info')


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


class Package:
    """An installed package of Debian."""

    def __init__(self, name):
        self.name = name  # without the architecture
        self.stanza = run('dpkg-query', '--status', name)
        fields = dict(line.split(': ', 1) for line in self.stanza.splitlines() if ': ' in line and line[0] != ' ')
        self.version = fields['Version']
        self.architecture = fields['Architecture']
        source, _, source_version = fields.get('Source', name).partition(' ')
        self.source = source
        self.source_version = source_version.strip('()') or self.version

    def checksums(self):
        """MD5 by absolute path of each file, as Debian made the package."""
        sums = {}
        for name in (f'{self.name}:{self.architecture}.md5sums', f'{self.name}.md5sums'):
            if (DPKG_INFO / name).exists():
                for line in (DPKG_INFO / name).read_text().splitlines():
                    digest, path = line.split(None, 1)
                    sums['/' + path] = digest
        return sums

    def copyright_file(self):
        """Often a link into the folder of a sister package."""
        path = pathlib.Path('/usr/share/doc', self.name, 'copyright')
        if not path.exists():
            raise SystemExit(f'{path} is missing: the base must be installed with documentation (see path-exclude in '
                             '/etc/dpkg/dpkg.cfg.d), because the licences ask that it goes along')
        return path


def owners(paths):
    """The package of each path. A path may be written through /lib or /usr/lib, as it was before Debian merged them."""
    by_path = {}
    listing = {}
    for info in DPKG_INFO.glob('*.list'):
        name = info.name[:-len('.list')].partition(':')[0]
        for line in info.read_text().splitlines():
            listing.setdefault(line, name)
    for path in paths:
        folder, base = os.path.split(path)
        for candidate in (path, os.path.join(os.path.realpath(folder), base),
                          os.path.realpath(path), os.path.realpath(path).removeprefix('/usr')):
            if candidate in listing:
                by_path[path] = listing[candidate]
                break
        else:
            raise SystemExit(f'no package of Debian owns {path}; the image takes files from packages only')
    return by_path
