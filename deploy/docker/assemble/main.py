"""Assembles the image's file system and what lies beside the image; the Dockerfile runs it in the builder.

Usage: main.py --build=FOLDER --root=FOLDER --artifacts=FOLDER, with VERSION, REVISION and SOURCE_DATE_EPOCH in the
environment. Both output folders must not exist. The same input gives the same bytes.
"""
import argparse
import json
import os
import pathlib

import binaries
import sbom
from debian import Package, owners, run
from rootfs import EXTRA_PACKAGES, RootFileSystem


def main():
    parser = argparse.ArgumentParser()
    for name in ('build', 'root', 'artifacts'):
        parser.add_argument('--' + name, required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    os.umask(0o022)
    epoch = int(os.environ['SOURCE_DATE_EPOCH'])
    arguments.artifacts.mkdir(parents=True)

    root = RootFileSystem(arguments.root)
    files = []  # (path in the image, package)
    shipped = []
    for name in binaries.NAMES:
        target = root.at('/usr/bin/' + name)
        built = arguments.build / 'bin' / name
        identity = binaries.split_debug(built, target, arguments.artifacts / 'debug')
        print(f'{name}: build id {identity}')
        shipped.append(target)

    libraries = binaries.libraries(shipped)
    packages_of = owners(libraries)
    for library in libraries:
        files += [(path, packages_of[library]) for path in root.copy_linked(library)]
    root.add_basics()
    installed = [Package(name) for name in sorted({*packages_of.values(), *EXTRA_PACKAGES})]
    compiled_in = [Package(name) for name in binaries.compiled_in(arguments.build)]
    for package in {package.name: package for package in [*installed, *compiled_in]}.values():
        root.copy(f'/usr/share/doc/{package.name}/copyright', package.copyright_file())
    for package in installed:
        root.add_package_record(package)
    root.set_times(epoch)

    debian_version = root.at('/etc/debian_version').read_text().strip().partition('.')[0]
    document = sbom.document(os.environ['VERSION'], os.environ['REVISION'], epoch, shipped, installed, compiled_in,
                             debian_version)
    (arguments.artifacts / 'refund-relay.spdx.json').write_text(json.dumps(document, indent=1) + '\n')
    # Every package of the builder with its version: what a later build needs to be the same.
    (arguments.artifacts / 'builder-packages.txt').write_text(
        run('dpkg-query', '--show', '--showformat', '${Package} ${Version} ${Architecture}\n'))
    sizes = {name: root.size({path for path, owner in files if owner == name}) for name in packages_of.values()}
    sizes.update({path.name: path.stat().st_size for path in shipped})
    for folder in ('usr/share/doc', 'usr/share/common-licenses', 'etc', 'var/lib/dpkg'):
        sizes[folder] = sum(path.lstat().st_size for path in root.at(folder).rglob('*') if not path.is_dir())
    (arguments.artifacts / 'sizes.txt').write_text(
        ''.join(f'{size:>9} {name}\n' for name, size in sorted(sizes.items(), key=lambda item: -item[1])))


if __name__ == '__main__':
    main()
