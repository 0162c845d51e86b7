"""The bill of materials: SPDX 2.3, JSON."""
import datetime
import hashlib
import json
import re
import urllib.parse
import uuid

SOURCE = 'https://github.com/refund-relay/refund-relay'
NO = 'NOASSERTION'


def spdx_id(kind, name):
    return f'SPDXRef-{kind}-' + re.sub(r'[^A-Za-z0-9.-]', '-', name)


def debian_package(package, debian_version):
    quoted = urllib.parse.quote(package.version, safe='')
    return {
        'SPDXID': spdx_id('deb', package.name), 'name': package.name, 'versionInfo': package.version,
        'supplier': 'Organization: Debian',
        'downloadLocation': NO, 'filesAnalyzed': False,
        'sourceInfo': f'built by Debian from: {package.source} {package.source_version}',
        'licenseConcluded': NO, 'licenseDeclared': NO, 'copyrightText': NO,
        'comment': f'licences: /usr/share/doc/{package.name}/copyright',
        'externalRefs': [{
            'referenceCategory': 'PACKAGE-MANAGER', 'referenceType': 'purl',
            'referenceLocator': f'pkg:deb/debian/{urllib.parse.quote(package.name)}@{quoted}'
                                f'?arch={package.architecture}&distro=debian-{debian_version}'}],
    }


def binary_file(path, data):
    return {
        'SPDXID': spdx_id('file', path.name), 'fileName': './usr/bin/' + path.name, 'fileTypes': ['BINARY'],
        'checksums': [{'algorithm': 'SHA1', 'checksumValue': hashlib.sha1(data, usedforsecurity=False).hexdigest()},
                      {'algorithm': 'SHA256', 'checksumValue': hashlib.sha256(data).hexdigest()}],
        'licenseConcluded': NO, 'copyrightText': NO,
    }


def document(version, revision, epoch, binaries, installed, compiled_in, debian_version):
    """`installed`: packages with files in the image; `compiled_in`: those whose headers are part of our binaries."""
    relations = [('SPDXRef-DOCUMENT', 'DESCRIBES', 'SPDXRef-image'), ('SPDXRef-image', 'CONTAINS', 'SPDXRef-refund-relay')]
    packages = {package.name: package for package in [*installed, *compiled_in]}
    relations += [('SPDXRef-image', 'CONTAINS', spdx_id('deb', package.name)) for package in installed]
    relations += [('SPDXRef-refund-relay', 'STATIC_LINK', spdx_id('deb', package.name)) for package in compiled_in]
    files = [binary_file(path, path.read_bytes()) for path in binaries]
    relations += [('SPDXRef-refund-relay', 'CONTAINS', file['SPDXID']) for file in files]
    # SPDX asks for a code over the files' SHA-1 where the files of a package are listed.
    code = hashlib.sha1(''.join(sorted(file['checksums'][0]['checksumValue'] for file in files)).encode(),
                        usedforsecurity=False).hexdigest()
    ours = {
        'versionInfo': version, 'supplier': NO, 'downloadLocation': f'git+{SOURCE}@{revision}',
        'licenseConcluded': NO, 'licenseDeclared': NO, 'copyrightText': NO,
    }
    content = {
        'spdxVersion': 'SPDX-2.3', 'dataLicense': 'CC0-1.0', 'SPDXID': 'SPDXRef-DOCUMENT',
        'name': f'refund-relay-{version}',
        'creationInfo': {
            'created': datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ'),
            'creators': ['Tool: refund-relay-deploy-docker-assemble']},
        'packages': [
            {'SPDXID': 'SPDXRef-image', 'name': 'refund-relay-image', 'filesAnalyzed': False,
             'primaryPackagePurpose': 'CONTAINER', **ours},
            {'SPDXID': 'SPDXRef-refund-relay', 'name': 'refund-relay', 'filesAnalyzed': True,
             'packageVerificationCode': {'packageVerificationCodeValue': code}, 'licenseInfoFromFiles': [NO],
             'primaryPackagePurpose': 'APPLICATION', **ours},
            *(debian_package(packages[name], debian_version) for name in sorted(packages))],
        'files': files,
        'relationships': [{'spdxElementId': a, 'relationshipType': how, 'relatedSpdxElement': b}
                          for a, how, b in relations],
    }
    # The same content has the same name, another content another one.
    identity = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    content['documentNamespace'] = f'{SOURCE}/spdx/refund-relay-{version}-{identity}'
    return content
