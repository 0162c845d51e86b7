"""The same webhook at the same instant over many connections is one event, and every sender is told the truth."""

import json
import socket
import threading
import unittest

import webhooks
from raw_http import read_answer, webhook_request
from relay import DEADLINE, Relay
from stream import event_ids

CONNECTIONS = 64
ROUNDS = 5


class ConcurrentDuplicatesTest(unittest.TestCase):
    def test_64_connections_two_equal_webhooks_each(self):
        with Relay() as relay:
            connections = [socket.create_connection(relay.address("http"), DEADLINE) for _ in range(CONNECTIONS)]
            sent = []
            for number in range(ROUNDS):
                body = webhooks.encode(webhooks.webhook(number))
                sent.append(webhooks.event_id(webhooks.webhook(number)))
                self.one_round(connections, webhook_request(body), number + 1, sent[-1])
            for connection in connections:
                connection.close()
            self.assertEqual(sent, event_ids(relay))

    def one_round(self, connections, request, sequence, event_id):
        answers = [None] * CONNECTIONS
        # All but the last byte is sent before; the barrier lets every connection send that byte at the same instant.
        barrier = threading.Barrier(CONNECTIONS)

        def send(index):
            connection = connections[index]
            connection.sendall(request[:-1])
            barrier.wait(DEADLINE)
            # The same webhook twice: the second is pipelined behind the first.
            connection.sendall(request[-1:] + request)
            stream = connection.makefile("rb")
            answers[index] = [read_answer(stream), read_answer(stream)]

        threads = [threading.Thread(target=send, args=(index,)) for index in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        parsed = []
        for pair in answers:
            self.assertIsNotNone(pair, "a connection got no answer")
            for status, _, body in pair:
                self.assertEqual(200, status, body)
                parsed.append(json.loads(body))
        self.assertEqual(1, sum(answer["status"] == "accepted" for answer in parsed))
        for answer in parsed:
            self.assertIn(answer["status"], ("accepted", "duplicate"))
            self.assertEqual((event_id, sequence), (answer["event_id"], answer["sequence"]))


if __name__ == "__main__":
    unittest.main()
