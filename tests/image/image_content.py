"""What the image holds and what it must not: `./dev image` runs this after every build.

IMAGE_ROOT is the image's file system as mounted, IMAGE_CONFIG what `buildah inspect` says of it, IMAGE_ARTIFACTS the
folder with what lies beside it. Needs root (it enters the image by chroot) and readelf.
"""
import hashlib
import json
import os
import pathlib
import re
import stat
import subprocess
import unittest

ROOT = pathlib.Path(os.environ['IMAGE_ROOT'])
ARTIFACTS = pathlib.Path(os.environ['IMAGE_ARTIFACTS'])
STATUS = ROOT / 'var/lib/dpkg/status.d'
USER = 65532
DATA_FOLDER = '/var/lib/refund-relay'
OURS = {'/usr/bin/refund-relay', '/usr/bin/refundctl'}
PROGRAMS = [ROOT / path[1:] for path in sorted(OURS)]
# Debian ships these two libraries executable: the loader is one, and libc.so.6 prints its version when run.
EXECUTABLE_LIBRARY = re.compile(r'/usr/lib/[^/]+/(ld-linux-[^/]+\.so\.\d+|libc\.so\.6)')


def files():
    """(path as seen in the image, path here) of everything but the root itself."""
    for here in sorted(ROOT.rglob('*')):
        yield '/' + str(here.relative_to(ROOT)), here


def regular_files():
    return [(path, here) for path, here in files() if here.is_file() and not here.is_symlink()]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f'{command} ended with {done.returncode}: {done.stderr}')
    return done.stdout


def has_interpreter(here):
    """Whether an ELF file is a program, or a library that can be run like one."""
    return re.search(r'^\s+INTERP ', run('readelf', '-lW', here), re.MULTILINE)


def in_image(*command):
    return run('chroot', str(ROOT), *command)


def loaded_libraries(program):
    """What the image's own loader maps for a program, as real paths in the image."""
    text = in_image(str(loader()), '--list', program)
    found = set()
    for line in text.splitlines():
        match = re.search(r'(/\S+) \(0x', line)
        if match:
            here = ROOT / match[1].lstrip('/')
            found.add('/' + str(resolve(here).relative_to(ROOT)))
    return found


def resolve(here):
    """Follows links as the image's root would."""
    parts = list(here.relative_to(ROOT).parts)
    path = ROOT
    for _ in range(100):
        if not parts:
            return path
        path = path / parts.pop(0)
        if path.is_symlink():
            target = os.readlink(path)
            parts = list(pathlib.PurePath(target.lstrip('/')).parts) + parts
            path = ROOT if target.startswith('/') else path.parent
    raise AssertionError(f'{here} is a loop of links')


def loader():
    found = [path for path, _ in regular_files() if re.search(r'/ld-linux-[^/]+$', path)]
    assert len(found) == 1, found
    return found[0]


def package_records():
    return {path.name: path.read_text() for path in STATUS.iterdir() if path.suffix != '.md5sums'}


def field(stanza, name):
    return re.search(rf'^{name}: (.*)$', stanza, re.MULTILINE)[1]


class Files(unittest.TestCase):
    def test_nothing_can_be_run_but_our_two_programs(self):
        executables = {path for path, here in regular_files() if here.stat().st_mode & 0o111}
        libraries = {path for path in executables if EXECUTABLE_LIBRARY.fullmatch(path)}
        self.assertEqual(executables - libraries, OURS)
        self.assertEqual(len(libraries), 2, libraries)
        scripts = [path for path, here in regular_files() if here.read_bytes()[:2] == b'#!']
        self.assertEqual(scripts, [])
        # Through the loader also a file without the bit could be run: no other program is there in any form.
        programs = {path for path, here in regular_files()
                    if here.read_bytes()[:4] == b'\x7fELF' and has_interpreter(here)}
        self.assertEqual({path for path in programs if not EXECUTABLE_LIBRARY.fullmatch(path)}, OURS)

    def test_no_package_manager(self):
        self.assertEqual([path.name for path in (ROOT / 'var/lib/dpkg').iterdir()], ['status.d'])
        self.assertEqual([path for path, _ in files() if re.search(r'/(apt|apt-get|dpkg\.cfg.*|sources\.list.*)$', path)], [])

    def test_owners_and_modes(self):
        for path, here in files():
            status = here.lstat()
            owner = USER if path == DATA_FOLDER else 0
            with self.subTest(path):
                self.assertEqual((status.st_uid, status.st_gid), (owner, owner))
                self.assertFalse(status.st_mode & (stat.S_ISUID | stat.S_ISGID))
                self.assertTrue(stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode))
                if not here.is_symlink():
                    self.assertNotIn('security.capability', os.listxattr(here))
                    self.assertTrue(path == '/tmp' or not status.st_mode & 0o022)
        self.assertEqual(stat.S_IMODE((ROOT / DATA_FOLDER[1:]).stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((ROOT / 'tmp').stat().st_mode), 0o1777)

    def test_every_library_is_needed_and_every_needed_one_is_there(self):
        # The loader fails, and so does this, where one is missing.
        needed = set().union(*(loaded_libraries(program) for program in OURS)) | {loader()}
        there = {path for path, here in regular_files() if here.read_bytes()[:4] == b'\x7fELF'} - OURS
        self.assertEqual(there, needed)

    def test_user_and_names(self):
        self.assertRegex((ROOT / 'etc/passwd').read_text(), rf'(?m)^refund-relay:x:{USER}:{USER}:')
        self.assertRegex((ROOT / 'etc/group').read_text(), rf'(?m)^refund-relay:x:{USER}:')
        self.assertRegex((ROOT / 'etc/ssl/certs/ca-certificates.crt').read_text(), r'-----BEGIN CERTIFICATE-----')


class Packages(unittest.TestCase):
    def test_scanners_find_every_library_by_its_package(self):
        recorded = {}
        for record in STATUS.glob('*.md5sums'):
            for line in record.read_text().splitlines():
                digest, path = line.split('  ', 1)
                recorded['/' + path] = digest
        libraries = [(path, here) for path, here in regular_files() if here.read_bytes()[:4] == b'\x7fELF' and path not in OURS]
        self.assertGreater(len(libraries), 10)
        for path, here in libraries:
            # Debian lists some below /lib, from before /usr was merged.
            digest = recorded.get(path) or recorded.get(path.removeprefix('/usr'))
            self.assertEqual(digest, hashlib.md5(here.read_bytes()).hexdigest(), path)

    def test_records_are_whole(self):
        records = package_records()
        self.assertLessEqual({'base-files', 'ca-certificates', 'libc6'}, set(records))
        for name, stanza in records.items():
            with self.subTest(name):
                self.assertEqual(field(stanza, 'Package'), name)
                self.assertEqual(field(stanza, 'Status'), 'install ok installed')
                self.assertTrue(field(stanza, 'Version') and field(stanza, 'Architecture'))
                self.assertTrue((STATUS / (name + '.md5sums')).exists())
        self.assertIn('VERSION_CODENAME=trixie', (ROOT / 'etc/os-release').read_text())

    def test_licences_go_along(self):
        for package in self.sbom_packages():
            copyright_file = ROOT / 'usr/share/doc' / package / 'copyright'
            self.assertGreater(copyright_file.stat().st_size, 200, package)
        referred = set()
        for copyright_file in ROOT.glob('usr/share/doc/*/copyright'):
            referred |= set(re.findall(r'/usr/share/common-licenses/([A-Za-z0-9.-]*[A-Za-z0-9])', copyright_file.read_text()))
        self.assertLessEqual(referred - {path.name for path in (ROOT / 'usr/share/common-licenses').iterdir()}, set())

    @staticmethod
    def sbom_packages():
        document = json.loads((ARTIFACTS / 'refund-relay.spdx.json').read_text())
        return {p['name']: p for p in document['packages'] if p['SPDXID'].startswith('SPDXRef-deb-')}


class BillOfMaterials(unittest.TestCase):
    def setUp(self):
        self.document = json.loads((ARTIFACTS / 'refund-relay.spdx.json').read_text())

    def related(self, kind, to):
        return {r['relatedSpdxElement'] for r in self.document['relationships']
                if r['relationshipType'] == kind and r['spdxElementId'] == to}

    def test_packages_are_those_of_the_image(self):
        contained = self.related('CONTAINS', 'SPDXRef-image')
        listed = {p['name']: p['versionInfo'] for p in self.document['packages']
                  if p['SPDXID'] in contained and p['SPDXID'].startswith('SPDXRef-deb-')}
        self.assertEqual(listed, {name: field(stanza, 'Version') for name, stanza in package_records().items()})

    def test_packages_whose_headers_are_compiled_in(self):
        linked = self.related('STATIC_LINK', 'SPDXRef-refund-relay')
        for name in ('libboost1.83-dev', 'rapidjson-dev', 'libcli11-dev'):
            self.assertIn('SPDXRef-deb-' + name, linked)

    def test_binaries_by_checksum(self):
        hashes = {f['fileName'].removeprefix('.'): {c['algorithm']: c['checksumValue'] for c in f['checksums']}['SHA256']
                  for f in self.document['files']}
        self.assertEqual(hashes, {p: hashlib.sha256((ROOT / p[1:]).read_bytes()).hexdigest() for p in OURS})

    def test_identities(self):
        elements = [e['SPDXID'] for e in [self.document, *self.document['packages'], *self.document['files']]]
        self.assertEqual(len(elements), len(set(elements)))
        for relation in self.document['relationships']:
            self.assertIn(relation['spdxElementId'], elements)
            self.assertIn(relation['relatedSpdxElement'], elements)
        for package in Packages.sbom_packages().values():
            self.assertRegex(package['externalRefs'][0]['referenceLocator'], r'^pkg:deb/debian/[^@]+@[^?]+\?arch=\w+&distro=debian-13$')


class Binaries(unittest.TestCase):
    def test_position_independent_with_read_only_relocations_and_no_executable_stack(self):
        for here in PROGRAMS:
            self.assertRegex(run('readelf', '-hW', here), r'Type:\s+DYN')
            dynamic = run('readelf', '-dW', here)
            self.assertRegex(dynamic, r'FLAGS_1\).*\bNOW\b.*\bPIE\b')
            self.assertNotRegex(dynamic, r'R(UN)?PATH')
            segments = run('readelf', '-lW', here)
            self.assertIn('GNU_RELRO', segments)
            self.assertRegex(segments, r'GNU_STACK\s+\S+ \S+ \S+ \S+ \S+ RW\s')
            self.assertNotRegex(segments, r'LOAD .* RWE ')

    def test_stack_protector_fortified_copies_and_checked_containers(self):
        for here in PROGRAMS:
            symbols = run('readelf', '--dyn-syms', '-W', here)
            self.assertIn('__stack_chk_fail', symbols)
            self.assertRegex(symbols, r'__(memcpy|memmove|memset|read|snprintf|vsnprintf|fprintf)_chk')
            self.assertIn('_ZSt21__glibcxx_assert_fail', symbols)

    def test_stripped_with_symbols_kept_beside(self):
        for here in PROGRAMS:
            self.assertNotRegex(run('readelf', '-SW', here), r'\.(symtab|debug_info)')
            identity = re.search(r'Build ID: ([0-9a-f]{40})', run('readelf', '-nW', here))[1]
            symbols = ARTIFACTS / 'debug/.build-id' / identity[:2] / (identity[2:] + '.debug')
            self.assertRegex(run('readelf', '-SW', symbols), r'\.debug_info')
            self.assertIn(identity, run('readelf', '-nW', symbols))

    def test_no_path_of_the_builder(self):
        for here in PROGRAMS:
            self.assertNotIn(b'/src/', here.read_bytes())


class Configuration(unittest.TestCase):
    def setUp(self):
        self.image = json.loads(pathlib.Path(os.environ['IMAGE_CONFIG']).read_text())['OCIv1']
        self.config = self.image['config']

    def test_what_it_runs_and_as_whom(self):
        self.assertEqual(self.config['User'], f'{USER}:{USER}')
        self.assertEqual(self.config['Entrypoint'], ['/usr/bin/refund-relay'])
        self.assertFalse(self.config.get('Cmd'))
        self.assertFalse(self.config.get('Volumes'), 'an unnamed volume would be lost with its container')
        self.assertEqual(self.config.get('StopSignal'), 'SIGTERM')
        self.assertEqual(set(self.config['ExposedPorts']), {'8080/tcp', '8081/tcp', '50051/tcp'})
        self.assertEqual(len(self.image['rootfs']['diff_ids']), 1)

    def test_labels(self):
        labels = self.config['Labels']
        prefix = 'org.opencontainers.image.'
        for name in ('title', 'description', 'source', 'url', 'documentation', 'licenses', 'version', 'revision', 'created'):
            self.assertTrue(labels.get(prefix + name), name)
        for program in sorted(OURS):
            self.assertEqual(in_image(program, '--version').split()[-1], labels[prefix + 'version'])
        self.assertRegex(labels[prefix + 'revision'], r'^([0-9a-f]{40}(-dirty)?|unknown)$')
        # One time: of the commit, in the label and in the configuration.
        self.assertEqual(self.image['created'], labels[prefix + 'created'])


if __name__ == '__main__':
    unittest.main()
