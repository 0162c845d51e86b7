"""The main job inside the image: `./dev image` runs this by runc, as uid 65532, with no capability and a read-only root.

IMAGE_ROOT is the image's file system as mounted, IMAGE_CONFIG what `buildah inspect` says of it. Every program that
runs is the image's own; each container has its own network, so that nothing but loopback is there.
"""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = os.environ['IMAGE_ROOT']
CONFIG = json.loads(pathlib.Path(os.environ['IMAGE_CONFIG']).read_text())['OCIv1']['config']
USER = 65532
DATA = '/var/lib/refund-relay'
SECRET = '/run/secrets/webhook.secret'
DEADLINE = 60
EVENTS = {
    'pay_per_use': '65e0220ed03692125f1f3592-9a388ce337ca367a',
    'subscription': '65e01fe8d03692125f1f356a-17a8f58cd815c44c',
    'pass': '65e02242d03692125f1f3593-4ad38e3cfdb0ae41',
}


class Container:
    """The image's entry point with more arguments, run by runc. A context manager; ends the container in any case."""
    count = 0

    def __init__(self, folder, *arguments, entrypoint=None):
        Container.count += 1
        self.identity = f'refund-relay-image-{os.getpid()}-{Container.count}'
        self.bundle = folder / self.identity
        self.bundle.mkdir()
        subprocess.run(['runc', 'spec'], cwd=self.bundle, check=True)
        spec = json.loads((self.bundle / 'config.json').read_text())
        process = spec['process']
        process.update(terminal=False, args=[*(entrypoint or CONFIG['Entrypoint']), *arguments], env=CONFIG['Env'],
                       cwd=CONFIG['WorkingDir'], noNewPrivileges=True)
        uid, gid = CONFIG['User'].split(':')
        process['user'] = {'uid': int(uid), 'gid': int(gid)}
        process['capabilities'] = {kind: [] for kind in process['capabilities']}
        spec['root'] = {'path': ROOT, 'readonly': True}
        for source, target, option in ((folder / 'data', DATA, 'rw'), (folder / 'webhook.secret', SECRET, 'ro')):
            spec['mounts'].append({'type': 'bind', 'source': str(source), 'destination': target,
                                   'options': ['bind', 'nosuid', 'nodev', 'noexec', option]})
        (self.bundle / 'config.json').write_text(json.dumps(spec))
        self.log = self.bundle / 'log'
        self.process = None

    def __enter__(self):
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(['runc', 'run', '--bundle', self.bundle, self.identity], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            subprocess.run(['runc', 'kill', self.identity, 'KILL'], check=False)
            self.process.wait(DEADLINE)

    def wait_for_line(self, text):
        end = time.monotonic() + DEADLINE
        while text not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f'no line with {text!r} in the log of {self.identity}:\n{self.log.read_text()}')
            time.sleep(0.05)  # between looks

    def run(self, *command):
        """Runs a program of the image beside the server, in the same container."""
        return subprocess.run(['runc', 'exec', self.identity, *command], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=DEADLINE, check=False)

    def end(self):
        return self.process.wait(DEADLINE)


class MainJob(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='refund-relay-image-'))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / 'data').mkdir(mode=0o700)
        os.chown(self.folder / 'data', USER, USER)
        (self.folder / 'webhook.secret').write_text('a-secret-for-the-image\n')
        os.chown(self.folder / 'webhook.secret', USER, USER)
        (self.folder / 'webhook.secret').chmod(0o400)

    @contextlib.contextmanager
    def server(self, *flags):
        with Container(self.folder, f'--data_dir={DATA}', f'--webhook_secret_files={SECRET}', '--drain_delay=0s', *flags) as server:
            server.wait_for_line('"message":"ready"')
            yield server
            subprocess.run(['runc', 'kill', server.identity, 'TERM'], check=True)
            self.assertEqual(server.end(), 0, server.log.read_text())

    def send(self, server, sample, *flags):
        return server.run('/usr/bin/refundctl', 'send', f'--sample={sample}', f'--secret-file={SECRET}', *flags)

    def events(self, server):
        tail = server.run('/usr/bin/refundctl', '--output=json', 'tail', '--name=books', '--from=earliest', '--until-caught-up')
        self.assertEqual(tail.returncode, 0, tail.stderr)
        deliveries = [json.loads(line) for line in tail.stdout.splitlines()]
        return [d['event']['eventId'] if 'eventId' in d['event'] else d['event']['event_id'] for d in deliveries]

    def test_webhooks_in_events_out_and_the_same_after_a_restart(self):
        # As in any container whose ports others reach.
        with self.server('--http_address=0.0.0.0:8080', '--grpc_address=0.0.0.0:50051', '--allow_insecure_grpc') as server:
            for sample, event_id in EVENTS.items():
                sent = self.send(server, sample)
                self.assertEqual(sent.returncode, 0, sent.stderr)
                self.assertIn('accepted', sent.stdout)
                self.assertIn(event_id, sent.stdout)
            self.assertIn('401', self.send(server, 'pass', '--unique', '--break-signature').stdout)
            self.assertEqual(self.events(server), list(EVENTS.values()))
        with self.server() as server:
            self.assertIn('duplicate', self.send(server, 'pass').stdout)
            self.assertEqual(self.events(server), list(EVENTS.values()))
            backup = server.run('/usr/bin/refund-relay', 'backup', f'--data_dir={DATA}', f'--to={DATA}/backup.db')
            self.assertEqual(backup.returncode, 0, backup.stderr)
        for target in (f'--data_dir={DATA}', f'--file={DATA}/backup.db'):
            with Container(self.folder, 'verify', target) as verify:
                self.assertEqual(verify.end(), 0, verify.log.read_text())
        for file in (self.folder / 'data').iterdir():
            self.assertEqual((file.stat().st_uid, file.stat().st_mode & 0o077), (USER, 0), file)

    def test_nothing_but_the_volume_can_be_written(self):
        with Container(self.folder, '--data_dir=/tmp/data', f'--webhook_secret_files={SECRET}') as server:
            self.assertNotEqual(server.end(), 0)
            self.assertIn('Read-only file system', server.log.read_text())

    def test_it_starts_no_shell(self):
        with self.server() as server:
            for shell in ('/bin/sh', '/bin/bash', '/usr/bin/busybox'):
                self.assertIn('no such file', server.run(shell, '-c', 'true').stderr)

    def test_no_settings_no_start(self):
        with Container(self.folder) as server:
            self.assertEqual(server.end(), 2)
            self.assertIn('data_dir', server.log.read_text())


if __name__ == '__main__':
    unittest.main()
