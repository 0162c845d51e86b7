"""Sends many webhooks over a few persistent connections and keeps every answer."""

import json
import socket
import threading

import webhooks
from raw_http import read_answer, webhook_request
from relay import DEADLINE


class Load:
    """Threads that share one iterator of webhooks. `answers` maps event id to the answer of status 200.

    With `until_refused` a 503 or a closed connection is not a failure, but the end of its thread; webhooks answered 503
    are in `refused`."""

    def __init__(self, address, made, connections=8, until_refused=False):
        self._until_refused = until_refused
        self.refused = []  # event ids
        self._address = address
        self._made = iter(made)
        self._lock = threading.Lock()
        self._answered = threading.Condition(self._lock)
        self._stopped = False
        self.answers = {}
        self.sent = {}  # event id -> webhook: written to a socket, answered or not
        self.failures = []  # what went wrong on a connection, at most one each
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(connections)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def _next(self):
        with self._lock:
            if self._stopped:
                return None
            made = next(self._made, None)
            if made is not None:
                self.sent[webhooks.event_id(made)] = made
            return made

    def _run(self):
        try:
            with socket.create_connection(self._address, DEADLINE) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                stream = connection.makefile("rb")
                while (made := self._next()) is not None:
                    try:
                        connection.sendall(webhook_request(webhooks.encode(made)))
                        status, _, body = read_answer(stream)
                    except ConnectionError:
                        if self._until_refused:
                            return
                        raise
                    if status == 503 and self._until_refused:
                        with self._lock:
                            self.refused.append(webhooks.event_id(made))
                        return
                    if status != 200:
                        raise AssertionError(f"{status}: {body!r}")
                    answer = json.loads(body)
                    with self._lock:
                        self.answers[answer["event_id"]] = answer
                        self._answered.notify_all()
        except (OSError, ValueError, IndexError, AssertionError) as error:
            with self._lock:
                self.failures.append(error)
                self._answered.notify_all()

    def wait_for_answers(self, count):
        """Waits until this many webhooks are answered."""
        with self._lock:
            done = self._answered.wait_for(lambda: len(self.answers) >= count or self.failures, DEADLINE)
            assert done and not self.failures, (len(self.answers), self.failures)

    def stop(self):
        """Sends no more; waits for the threads."""
        with self._lock:
            self._stopped = True
        self.join()

    def join(self):
        for thread in self._threads:
            thread.join(10 * DEADLINE)
            assert not thread.is_alive(), "a sender hangs"
