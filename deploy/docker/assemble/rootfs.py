"""The image's file system: what is copied, what is written, and what scanners read."""
import hashlib
import os
import pathlib
import shutil

UID = 65532
DATA_FOLDER = 'var/lib/refund-relay'
# The root of a merged /usr, as in every Debian 13: the loader's fixed name goes through /lib or /lib64.
LINKS = {'lib': 'usr/lib', 'lib64': 'usr/lib64', 'bin': 'usr/bin', 'sbin': 'usr/sbin'}
WRITTEN = {
    'etc/passwd': 'root:x:0:0:root:/:/nonexistent\n'
                  f'refund-relay:x:{UID}:{UID}:refund-relay:/{DATA_FOLDER}:/nonexistent\n',
    'etc/group': f'root:x:0:\nrefund-relay:x:{UID}:\n',
    'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
}
# Of these packages, no library but files that a program of ours or a scanner reads.
OS_RELEASE = ('/usr/lib/os-release', '/etc/debian_version')  # base-files: tells a scanner which Debian this is
LICENCES = '/usr/share/common-licenses'  # base-files: the texts that copyright files point to
AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'  # made by ca-certificates when it is installed
EXTRA_PACKAGES = ('base-files', 'ca-certificates')


class RootFileSystem:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.root.mkdir(parents=True)
        for name, target in LINKS.items():
            self.folder(target)
            (self.root / name).symlink_to(target)

    def at(self, path):
        return self.root / path.lstrip('/')

    def folder(self, path, mode=0o755, owner=0):
        made = self.at(path)
        made.mkdir(parents=True, exist_ok=True)
        made.chmod(mode)
        os.chown(made, owner, owner)

    def write(self, path, text):
        self.at(path).parent.mkdir(parents=True, exist_ok=True)
        self.at(path).write_text(text)
        self.at(path).chmod(0o644)

    def copy(self, path, source=None):
        """A file of the builder, at the same place unless `source` says from where; mode kept, links followed."""
        target = self.at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source or path, target)
        shutil.copymode(source or path, target)

    def copy_linked(self, path):
        """A file and each link on the way to it, all at their places below /usr."""
        folder, name = os.path.split(path)
        path = os.path.join(os.path.realpath(folder), name)
        if os.path.islink(path):
            target = self.at(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_symlink():
                target.symlink_to(os.readlink(path))
            return [path] + self.copy_linked(os.path.join(os.path.dirname(path), os.readlink(path)))
        self.copy(path)
        return [path]

    def add_basics(self):
        for path, text in WRITTEN.items():
            self.write(path, text)
        for path in OS_RELEASE:
            self.copy(path)
        self.at('/etc/os-release').symlink_to('../usr/lib/os-release')
        self.copy(AUTHORITIES)
        shutil.copytree(LICENCES, self.at(LICENCES), symlinks=True)
        self.folder(DATA_FOLDER, 0o700, UID)
        self.folder('tmp', 0o1777)

    def add_package_record(self, package):
        """One file a package, as scanners know it from images without dpkg; and Debian's checksums of what is here."""
        status = 'var/lib/dpkg/status.d/' + package.name
        self.write(status, package.stanza)
        lines = []
        for path, expected in sorted(package.checksums().items()):
            here = self.at(path)
            if here.is_symlink() or not here.is_file():
                continue
            if hashlib.md5(here.read_bytes(), usedforsecurity=False).hexdigest() != expected:
                raise SystemExit(f'{path} differs from what {package.name} {package.version} brought')
            lines.append(f'{expected}  {path[1:]}\n')
        self.write(status + '.md5sums', ''.join(lines))

    def set_times(self, seconds):
        for path in [self.root, *self.root.rglob('*')]:
            os.utime(path, (seconds, seconds), follow_symlinks=False)

    def size(self, paths):
        return sum(self.at(path).lstat().st_size for path in paths)
