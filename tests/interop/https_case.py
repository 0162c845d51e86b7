"""HTTPS to a door of a server whose certificate lies in a folder that changes as Kubernetes changes it."""

import os
import socket
import ssl
import tempfile
import unittest

from authority import Authority
from certificates import SecretVolume
from relay import DEADLINE


class HttpsCase(unittest.TestCase):
    door = None  # of the server

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="refund-relay-https-"))
        self.authority = Authority(self.folder)
        volume = os.path.join(self.folder, "volume")
        os.mkdir(volume)
        self.volume = SecretVolume(volume)
        self.context = ssl.create_default_context(cafile=self.authority.cert_file)
        self.context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # an end without close_notify is an error

    def put(self, pair):
        return self.volume.put(tls_crt=pair[0], tls_key=pair[1])

    def connect(self, relay):
        plain = socket.create_connection(relay.address(self.door), DEADLINE)
        secured = self.context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
        self.addCleanup(secured.close)
        return secured
