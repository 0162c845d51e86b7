"""One run that visits every error path we know of, and keeps all that server and refundctl emit on the way."""

import base64
import contextlib
import copy
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import time
import urllib.parse

import grpc
from refundrelay.v1 import admin_service_pb2 as admin
from refundrelay.v1 import refund_event_service_pb2 as service

import raw_h2
import webhooks
from authority import Authority
from certificates import nth_read
from emitted import (BOOKS_TOKEN, BROKEN_SECRET, ILL_FORMED_TOKEN, MISPLACED_SECRET, NEW_SECRET, OLD_SECRET, OPERATOR_TOKEN,
                     OWN_NAME, OWN_TEXT, PERSON, WRONG_PASSWORD, WRONG_SECRET, WRONG_TOKEN, Emitted, hashed)
from raw_http import read_answer, webhook_request
from relay import BASIC_PASSWORD, BASIC_USER, BIN, DEADLINE, Relay, basic_header, run_to_end
from stream import COMMITTED, EARLIEST, RichError, request


class SecretRun:
    """Runs everything once; `answers` (to the caller) and `ours` (logs, metrics, files of /proc) are kept apart."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="refund-relay-secrets-")
        self.answers, self.ours = Emitted(), Emitted()
        self.http_statuses, self.grpc_codes, self.grpc_reasons = set(), set(), set()
        self.quarantine_reasons, self.exit_codes = set(), []
        self.key_pems = []
        self.permissions = {}
        self.metrics = ""
        for step in (self.doors, self.damage, self.small_servers, self.tls, self.bad_starts, self.commands):
            step()

    def secrets(self):
        basic = [base64.b64encode(f"{user}:{password}".encode()).decode()
                 for user, password in ((BASIC_USER, BASIC_PASSWORD), (BASIC_USER, WRONG_PASSWORD))]
        tokens = [BOOKS_TOKEN, OPERATOR_TOKEN, WRONG_TOKEN, ILL_FORMED_TOKEN]
        lines = [line for pem in self.key_pems for line in pem.splitlines() if len(line) > 16 and "-----" not in line]
        return [OLD_SECRET, NEW_SECRET, BROKEN_SECRET, WRONG_SECRET, MISPLACED_SECRET, BASIC_PASSWORD, WRONG_PASSWORD,
                *basic, *tokens, *map(hashed, tokens), *lines, "PRIVATE KEY"]

    # ---- keeping what is emitted ----

    def keep_process(self, relay, where):
        for page in ("/metrics", "/readyz", "/readyz?exclude=storage", "/readyz?" + OWN_TEXT, "/livez", "/" + OWN_TEXT):
            status, _, text = relay.admin_get(page)
            # The path that was asked for must not come back either: it may be a guess at something.
            self.ours.add(f"{where} {page.replace(OWN_TEXT, '...')} {status}", text)
        process = f"/proc/{relay.process.pid}"
        for name in ["cmdline", "comm", *(f"task/{task}/comm" for task in os.listdir(process + "/task"))]:
            with open(f"{process}/{name}", "rb") as file:
                self.ours.add(f"{where} {process}/{name}", file.read())

    def keep_lines(self, relay, where):
        for line in relay.lines:
            self.ours.add(f"{where} stderr", line)
        with open(relay.stdout.name, "rb") as file:
            self.ours.add(f"{where} stdout", file.read())

    @contextlib.contextmanager
    def relay(self, *flags, **arguments):
        relay = Relay("--log_level=debug", *flags, **arguments)
        with open(os.path.join(self.folder, f"stdout-{len(self.ours.pieces)}"), "wb") as relay.stdout, relay:
            yield relay
            self.keep_process(relay, "server")
            assert relay.stop() == 0, relay.tail()
            self.keep_lines(relay, "server")

    def keep_answer(self, status, headers, body):
        self.http_statuses.add(status)
        self.answers.add(f"HTTP {status}", f"{headers}\n{body}")

    def post(self, relay, body, headers, path="/webhooks/refund"):
        status, answer, fields = relay.post(body, headers, path)
        self.keep_answer(status, fields, json.dumps(answer))
        return answer

    def raw(self, relay, data):
        with socket.create_connection(relay.address("http"), DEADLINE) as connection:
            connection.sendall(data)
            with connection.makefile("rb") as stream:
                self.keep_answer(*read_answer(stream))

    def rubbish(self, relay, door):
        """What does not speak the door's protocol, such as a request with credentials that went to the wrong port."""
        request_bytes = f"GET /{OWN_TEXT} HTTP/1.1\r\nHost: {OWN_TEXT}\r\nAuthorization: Bearer {BOOKS_TOKEN}\r\n\r\n".encode()
        for data in (request_bytes, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + request_bytes,
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + request_bytes * 4):
            with socket.create_connection(relay.address(door), DEADLINE) as connection:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                answer = b""
                with contextlib.suppress(ConnectionError):
                    while part := connection.recv(65536):
                        answer += part
                self.answers.add(f"rubbish to {door}", answer)

    def quoted_by_grpc(self, relay, ca_file=None):
        """Metadata that gRPC does not understand, and a server name that nobody has: its own messages quote them."""
        for name in ("content-type", "te", "grpc-timeout", "grpc-encoding", "grpc-status", ":method", ":scheme"):
            with contextlib.ExitStack() as stack:
                connection = stack.enter_context(socket.create_connection(relay.address("grpc"), DEADLINE))
                if ca_file is not None:
                    context = ssl.create_default_context(cafile=ca_file)
                    context.set_alpn_protocols(["h2"])
                    context.check_hostname = False
                    connection = stack.enter_context(context.wrap_socket(connection, server_hostname=OWN_NAME))
                connection.sendall(raw_h2.PREFACE + raw_h2.frame(raw_h2.SETTINGS) + raw_h2.frame(
                    raw_h2.HEADERS, raw_h2.END_HEADERS | raw_h2.END_STREAM, 1,
                    raw_h2.call_headers("refundrelay.v1.RefundEventService/GetLogInfo", (name, OWN_TEXT))))
                kind = None
                while kind not in (raw_h2.HEADERS, raw_h2.RST_STREAM, raw_h2.GOAWAY):
                    try:
                        kind, _, _, payload = raw_h2.read_frame(connection)
                    except (EOFError, ConnectionError):
                        break
                    self.answers.add("gRPC about metadata", payload)

    def call(self, method, message, *tokens, keep_response=False):
        """Calls a unary method or reads a stream to its end; keeps errors with all their metadata."""
        metadata = [("authorization", token) for token in tokens]
        try:
            result = method(message, timeout=DEADLINE, metadata=metadata)
            if hasattr(result, "__next__"):
                result = list(result)
            if keep_response:
                self.answers.add("response", str(result))
            return result
        except grpc.RpcError as error:
            rich = RichError(error)
            self.grpc_codes.add(rich.code)
            self.grpc_reasons.add(rich.reason)
            self.answers.add(f"gRPC {rich.code}", f"{error.details()}\n{error.trailing_metadata()}\n"
                             f"{error.initial_metadata()}\n{rich.metadata}")
            return None

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def refundctl(self, *arguments, given="", keep_stdout=True):
        done = subprocess.run([os.path.join(BIN, "refundctl"), *arguments], input=given, capture_output=True, text=True,
                              timeout=DEADLINE)
        self.exit_codes.append(done.returncode)
        self.answers.add(f"refundctl {arguments[0]} stderr", done.stderr)
        if keep_stdout:
            self.answers.add(f"refundctl {arguments[0]} stdout", done.stdout)

    def server_command(self, *arguments):
        done = subprocess.run([os.path.join(BIN, "refund-relay"), *arguments], capture_output=True, text=True,
                              timeout=DEADLINE)
        self.exit_codes.append(done.returncode)
        self.ours.add(f"refund-relay {arguments[0]}", done.stdout + done.stderr)

    # ---- the run ----

    def policy(self):
        def entry(token, **rights):
            return {"token_hashes": ["sha256:" + hashed(token)], **rights}

        everything = {"events": "all", "personal_data": True, "administer": True, "commit_for_others": True,
                      "look_up_by_refund": True}
        return json.dumps({"subscribers": {"books": entry(BOOKS_TOKEN, events={"types": ["pass"]}),
                                           "operator": entry(OPERATOR_TOKEN, **everything)}})

    def samples(self):
        made = []
        for name in webhooks.SAMPLES:
            sample = webhooks.sample(name)
            sample["payload"]["user"].update(copy.deepcopy(PERSON))
            sample["payload"]["refund"]["note of the shop"] = "for " + PERSON["email"]
            made.append(sample)
        return made

    def doors(self):
        self.data_dir = os.path.join(self.folder, "planted-1-data")
        policy_file = self.file("policy", self.policy())
        backups = os.path.join(self.folder, "backups")
        previous = os.umask(0)
        try:
            manager = self.relay(f"--access_policy_file={policy_file}", f"--data_dir={self.data_dir}",
                                 f"--backup_dir={backups}", "--backup_interval=1s", secret=f"{OLD_SECRET}\n{NEW_SECRET}")
            with manager as relay:
                self.webhooks(relay)
                self.calls(relay)
                for door in ("http", "grpc", "admin"):
                    self.rubbish(relay, door)
                self.broken_files(relay, policy_file)
                relay.wait_for_line(lambda record: record["message"] == "a backup was taken")
                for folder in (self.data_dir, backups):
                    for path in [folder, *(entry.path for entry in os.scandir(folder))]:
                        with contextlib.suppress(FileNotFoundError):  # SQLite's own files come and go
                            self.permissions[path] = os.stat(path).st_mode & 0o7777
                self.metrics = relay.admin_get("/metrics")[2]
                self.keep_process(relay, "server")
                relay.kill()
                relay.start()
        finally:
            os.umask(previous)

    def webhooks(self, relay):
        def sign(body, secret=NEW_SECRET):
            return webhooks.signed(body, secret)

        made = self.samples()
        for sample, headers in zip(made, (lambda body: sign(body, OLD_SECRET), sign, lambda _: basic_header())):
            body = webhooks.encode(sample)
            self.post(relay, body, headers(body))
            self.post(relay, body, headers(body))  # a duplicate
        good = webhooks.encode(made[0])
        # Who are you?
        for headers in (sign(good, WRONG_SECRET), {"X-Conscent-Signature": OWN_TEXT},
                        {"X-Conscent-Signature": webhooks.signature(good, WRONG_SECRET).upper()}, {},
                        basic_header(password=WRONG_PASSWORD), {"Authorization": "Basic " + BASIC_PASSWORD},
                        {"Authorization": "Bearer " + WRONG_TOKEN}, {**sign(good, WRONG_SECRET), **basic_header()}):
            self.post(relay, good, headers)
        # Not JSON, or no refund event; each with personal data near the fault.
        bad = [good[:-1], good + b"{}", b"\xef\xbb\xbf" + good, good.replace(b"Asha Iyer", b"Asha \\ud800 Iyer"),
               good.replace(b"Asha Iyer", b"Asha \xff Iyer"), b'{"9811122233":1,"9811122233":2}', b"[" * 80,
               b'"asha.iyer@example.org"', good.replace(b'"amount":1', b'"amount":1e400')]
        changes = [("amount", PERSON["email"]), ("amount", None), ("currency", PERSON["phoneNumber"]),
                   ("_id", PERSON["email"] * 10), ("_id", 9811122233), ("amount", -1)]
        for field, value in changes:
            broken = copy.deepcopy(made[0])
            broken["payload"]["refund"][field] = value
            bad.append(webhooks.encode(broken))
        for change in ({"event": PERSON["name"]}, {"event": None}, {"payload": PERSON["email"]}, {"created_at": PERSON["name"]}):
            bad.append(webhooks.encode({**copy.deepcopy(made[0]), **change}))
        for body in bad:
            self.post(relay, body, sign(body))
            self.post(relay, body, sign(body))  # and again
        # A conflict, an id that is no plain one, a type that nobody knows, members that are personal themselves.
        conflict = copy.deepcopy(made[0])
        conflict["payload"]["refund"]["amount"] = 5
        odd_id = copy.deepcopy(made[1])
        odd_id["payload"]["refund"]["_id"] = PERSON["email"]
        drift = copy.deepcopy(made[2])
        drift["payload"]["refund"]["_id"] = "d" * 24
        drift["event"] = "refunded.bundle"
        drift[PERSON["phoneNumber"]] = drift["payload"]["user"][PERSON["email"]] = [PERSON["name"]]
        for webhook in (conflict, odd_id, drift):
            body = webhooks.encode(webhook)
            self.post(relay, body, sign(body))
        # Requests that are wrong before that.
        own = urllib.parse.quote(OWN_TEXT)
        self.post(relay, good, sign(good), f"/webhooks/{own}")
        self.post(relay, good, {**sign(good), "traceparent": OWN_TEXT}, f"/webhooks/refund?who={own}")
        self.post(relay, good, {**sign(good), "Content-Type": "text/" + OWN_TEXT})
        self.post(relay, good, {**sign(good), "Content-Encoding": OWN_TEXT})
        self.post(relay, good + b" " * 70_000, sign(good))
        self.raw(relay, webhook_request(good, method="DELETE"))
        self.raw(relay, webhook_request(good, "Expect: " + OWN_TEXT))
        self.raw(relay, webhook_request(good, "X-Filler: " + OWN_TEXT * 600))
        self.raw(relay, webhook_request(good, "Transfer-Encoding: chunked"))
        self.raw(relay, webhook_request(good, length=False))
        self.raw(relay, f"{OWN_TEXT}\r\n\r\n".encode())

    def calls(self, relay):
        books, operator = "Bearer " + BOOKS_TOKEN, "Bearer " + OPERATOR_TOKEN
        events, quarantine = relay.events(), relay.admin()
        self.quoted_by_grpc(relay)
        info = service.GetLogInfoRequest()
        for tokens in ((), ("Bearer " + WRONG_TOKEN,), (ILL_FORMED_TOKEN,), (books, operator), ("Bearer",)):
            self.call(events.GetLogInfo, info, *tokens)
            self.call(events.Subscribe, request(start_from=EARLIEST), *tokens)
        position = self.call(events.GetLogInfo, info, books).last_position
        other_log = service.Position(log_id=OWN_TEXT, sequence=1)
        ahead = service.Position(log_id=position.log_id, sequence=10**6)
        mismatch = service.Position(log_id=position.log_id, sequence=1, event_hash=1)
        Filter = service.EventFilter
        for name, token, fields in (
            ("operator", books, {"start_from": EARLIEST}),  # not its name
            ("books", books, {"start_from": EARLIEST, "filter": Filter(event_types=[2])}),  # not its type
            ("books", books, {"start_from": EARLIEST, "filter": Filter(event_names=["refunded." + OWN_TEXT])}),
            ("operator", operator, {"start_from": EARLIEST, "filter": Filter(event_names=[OWN_TEXT])}),
            ("operator", operator, {"start_from": EARLIEST, "filter": Filter(client_ids=[OWN_TEXT]),
                                    "stop_when_caught_up": True}),
            (OWN_TEXT, operator, {"start_from": EARLIEST}), ("operator", operator, {}),
            ("operator", operator, {"after": other_log}), ("operator", operator, {"after": ahead}),
            ("operator", operator, {"after": mismatch}),
        ):
            self.call(events.Subscribe, request(subscriber_name=name, **fields), token)
        for method, message in (
            (events.GetEvent, service.GetEventRequest(event_id=OWN_TEXT)), (events.GetEvent, service.GetEventRequest()),
            (events.ListEvents, service.ListEventsRequest(page_token=OWN_TEXT)),
            (events.ListEvents, service.ListEventsRequest(refund_id=OWN_TEXT, payment_gateway_refund_id=OWN_TEXT)),
            (events.ListEvents, service.ListEventsRequest(refund_id=OWN_TEXT)),
            (events.CommitPosition, service.CommitPositionRequest(subscriber_name=OWN_TEXT, position=position)),
            (events.CommitPosition, service.CommitPositionRequest(subscriber_name="books", position=other_log)),
            (events.CommitPosition, service.CommitPositionRequest(subscriber_name="books", position=position,
                                                                  expected_version=77)),
            (events.GetCommittedPosition, service.GetCommittedPositionRequest(subscriber_name=OWN_TEXT)),
            (quarantine.ListSubscribers, admin.ListSubscribersRequest(page_token=OWN_TEXT)),
            (quarantine.DeleteCommittedPosition, admin.DeleteCommittedPositionRequest(subscriber_name=OWN_TEXT)),
            (quarantine.ListQuarantinedWebhooks, admin.ListQuarantinedWebhooksRequest(page_token=OWN_TEXT)),
            (quarantine.RetryQuarantinedWebhooks, admin.RetryQuarantinedWebhooksRequest(quarantine_ids=[OWN_TEXT])),
            (quarantine.RetryQuarantinedWebhooks, admin.RetryQuarantinedWebhooksRequest()),
            (quarantine.DiscardQuarantinedWebhooks, admin.DiscardQuarantinedWebhooksRequest(quarantine_ids=[OWN_TEXT])),
        ):
            for token in (books, operator):
                self.call(method, message, token, keep_response=True)
        listed = self.call(quarantine.ListQuarantinedWebhooks, admin.ListQuarantinedWebhooksRequest(), operator,
                           keep_response=True)  # without bodies
        self.quarantine_reasons = {webhook.reason for webhook in listed.webhooks}
        self.call(quarantine.RetryQuarantinedWebhooks, admin.RetryQuarantinedWebhooksRequest(all=True), operator,
                  keep_response=True)
        first = [webhook.quarantine_id for webhook in listed.webhooks[:2]]
        self.call(quarantine.DiscardQuarantinedWebhooks, admin.DiscardQuarantinedWebhooksRequest(quarantine_ids=first),
                  operator, keep_response=True)

    def broken_files(self, relay, policy_file):
        """Files that turn bad under the server; their content must not be quoted."""
        not_used = 0
        for name, text in (("secrets", f"good\n{BROKEN_SECRET}\x01\n"), ("secrets", f"\ufeff{BROKEN_SECRET}\n"), ("secrets", "\n"),
                           ("basic", f"{BROKEN_SECRET}\n"), ("basic", f":{BROKEN_SECRET}\n"),
                           (policy_file, f'{{"subscribers": {{"books": "{BROKEN_SECRET}"}}'),
                           (policy_file, f'{{"subscribers": {{"books": {{"token_hashes": ["{BOOKS_TOKEN}"]}}}}}}'),
                           (policy_file, '{"subscribers": {"books": {"events": "%s", "certificates": ["%s"]}}}'
                            % (BROKEN_SECRET, BROKEN_SECRET))):
            relay.write_file(name, text)  # an absolute name stays as it is
            relay.process.send_signal(signal.SIGHUP)
            not_used += 1
            end = time.monotonic() + DEADLINE
            while sum("NOT read" in line for line in relay.lines) < not_used:
                assert time.monotonic() < end, relay.tail()
                time.sleep(0.02)  # between looks, not for it to have happened
        os.unlink(policy_file)
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_for_line(lambda record: record["message"].startswith("the access policy cannot be read"))
        self.file("policy", self.policy())
        relay.write_file("secrets", f"{OLD_SECRET}\n{NEW_SECRET}\n")
        relay.write_file("basic", f"{BASIC_USER}:{BASIC_PASSWORD}\n")

    def damage(self):
        """A log with a damaged record, served, verified and backed up; and one that is no database any more."""
        path = os.path.join(self.data_dir, "events.db")
        with sqlite3.connect(path) as database:
            database.execute("UPDATE events SET event = event || x'00' WHERE sequence = 2")
        database.close()
        self.server_command("verify", f"--data_dir={self.data_dir}")
        self.server_command("backup", f"--data_dir={self.data_dir}", f"--to={self.folder}/damaged.db")
        with self.relay(f"--data_dir={self.data_dir}") as relay:
            events = relay.events()
            self.call(events.Subscribe, request(start_from=EARLIEST))
            self.call(events.ListEvents, service.ListEventsRequest())
            self.call(events.GetEvent, service.GetEventRequest(
                event_id=webhooks.event_id(webhooks.sample(webhooks.SAMPLES[1]))))
        broken = os.path.join(self.folder, "broken.db")
        with open(path, "rb") as file:
            content = bytearray(file.read())
        person = json.dumps(PERSON).encode()
        content[4096:8192] = (person * 20)[:4096]
        with open(broken, "wb") as file:
            file.write(content)
        self.server_command("verify", f"--file={broken}")
        self.server_command("verify", f"--file={self.file('no.db', json.dumps(PERSON))}")

    def small_servers(self):
        """Positions that expired, and a subscriber that does not read: servers with small limits, without a policy."""
        with self.relay("--retention_age=1s") as relay:
            webhooks.send_many(relay, 0, 5)
            events = relay.events()
            page = self.call(events.ListEvents, service.ListEventsRequest(page_size=2))
            self.call(events.CommitPosition, service.CommitPositionRequest(subscriber_name="gone", position=page.position))
            number = 5
            end = time.monotonic() + DEADLINE
            while self.call(events.GetLogInfo, service.GetLogInfoRequest()).first_sequence <= 5:
                assert time.monotonic() < end, "nothing is deleted"
                webhooks.send(relay, webhooks.webhook(number))
                number += 1
            self.call(events.Subscribe, request(after=page.position))
            self.call(events.Subscribe, request(subscriber_name="gone", start_from=COMMITTED))
            address = "--address=%s:%d" % relay.address("grpc")
            for arguments in (("tail", "--from=committed", "--name=gone", "--until-caught-up"), ("get", OWN_TEXT),
                              ("get", webhooks.event_id(webhooks.webhook(1))), ("list", "--refund", OWN_TEXT),
                              ("positions", "show", "gone"), ("positions", "show", OWN_TEXT), ("quarantine", "list"),
                              ("quarantine", "discard", OWN_TEXT), ("subscribers",), ("info",)):
                self.refundctl(address, *arguments)
            self.refundctl(address, "list", keep_stdout=False)
            url = "--url=http://%s:%d/webhooks/refund" % relay.address("http")
            body = self.file("body", webhooks.encode(self.samples()[0]).decode()[:-1])
            for source in ("--sample=pass", body):
                self.refundctl("send", source, url, "--secret-file", self.file("wrong", WRONG_SECRET + "\n"))
                self.refundctl("send", source, url, "--basic-file", self.file("basic", f"{BASIC_USER}:{WRONG_PASSWORD}"))
                self.refundctl("send", source, url, "--secret-file", f"{relay.folder}/secrets")
        with self.relay("--live_window_bytes=1048576", "--write_stall_timeout=1s") as relay:
            channel = relay.channel(("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65536))
            subscribe = channel.unary_stream("/refundrelay.v1.RefundEventService/Subscribe",
                                             service.SubscribeRequest.SerializeToString,
                                             service.SubscribeResponse.FromString)
            stream = subscribe(request(start_from=EARLIEST), timeout=DEADLINE)
            number = 0
            while not any("stopped reading" in line for line in relay.lines):
                made = webhooks.webhook(number)
                made["payload"]["user"].update(copy.deepcopy(PERSON), padding="x" * 60_000)
                webhooks.send(relay, made)
                number += 1
                assert number < 5000, "it is never slow"
            try:
                list(stream)
            except grpc.RpcError as error:
                self.grpc_reasons.add(error.details().split(":")[0])
                self.answers.add("gRPC slow", f"{error.details()}\n{error.trailing_metadata()}")

    def tls(self):
        """Certificates and keys that turn bad under a server."""
        authority = Authority(self.folder)
        pairs = [authority.issue() for _ in range(3)]
        self.key_pems = [key for _, key in pairs]
        cert, key = self.file("tls.crt", pairs[0][0]), self.file("tls.key", pairs[0][1])
        with self.relay(f"--grpc_tls_cert_file={cert}", f"--grpc_tls_key_file={key}", f"--http_tls_cert_file={cert}",
                        f"--http_tls_key_file={key}") as relay:
            for door in ("http", "grpc"):
                self.rubbish(relay, door)
            self.quoted_by_grpc(relay, authority.cert_file)
            refused = 0
            for new_cert, new_key in ((pairs[0][0], pairs[1][1]), (pairs[2][1], pairs[2][1]),
                                      (pairs[1][0], pairs[1][1][:-60]), (pairs[1][1], pairs[1][0])):
                self.file("tls.crt.new", new_cert)
                self.file("tls.key.new", new_key)
                os.replace(cert + ".new", cert)
                os.replace(key + ".new", key)
                relay.process.send_signal(signal.SIGHUP)
                refused += 2  # doors
                end = time.monotonic() + DEADLINE
                while sum("new certificate NOT used" in line for line in relay.lines) < refused:
                    assert time.monotonic() < end, relay.tail()
                    time.sleep(0.02)  # between looks, not for it to have happened
            self.file("tls.crt", pairs[1][0])
            self.file("tls.key", pairs[1][1])
            relay.process.send_signal(signal.SIGHUP)
            relay.wait_for_line(nth_read(4))
            self.refundctl("--address=%s:%d" % relay.address("grpc"), "--ca_file", authority.cert_file, "--token_file",
                           self.file("token", WRONG_TOKEN + "\n"), "info")
        self.bad_pairs = [(self.file("bad.crt", pairs[0][0]), self.file("bad.key", pairs[2][1])),
                          (self.file("key.as.crt", pairs[0][1]), self.file("cut.key", pairs[0][1][:-60]))]
        self.authority = authority

    def bad_starts(self):
        """Files and flags that prevent a start."""
        ports = ["--http_address=127.0.0.1:0", "--grpc_address=127.0.0.1:0", "--admin_address=127.0.0.1:0", "--log=memory"]
        good = self.file("good", "secret\n")
        for flags in (
            [f"--webhook_secret_files={self.file('bad_secret', BROKEN_SECRET + chr(1))}"],
            [f"--webhook_basic_files={self.file('bad_basic', BROKEN_SECRET)}"],
            [f"--webhook_secret_files={good}", f"--access_policy_file={self.file('bad_policy', BROKEN_SECRET)}"],
            *([f"--webhook_secret_files={good}", f"--grpc_tls_cert_file={cert}", f"--grpc_tls_key_file={key}"]
              for cert, key in self.bad_pairs),
            [f"--webhook_secret={MISPLACED_SECRET}"], ["--webhook_secret", MISPLACED_SECRET], [MISPLACED_SECRET],
        ):
            code, text = run_to_end(*ports, *flags)
            self.exit_codes.append(code)
            self.ours.add(f"a start with {[flag.split('=')[0] for flag in flags]}", text)

    def commands(self):
        """Help texts, and commands of refundctl that need no server or find none."""
        for arguments in (["--help"], ["verify", "--help"], ["backup", "--help"]):
            self.server_command(*arguments)
        for command in ([], ["tail"], ["get"], ["list"], ["info"], ["subscribers"], ["positions"], ["quarantine"], ["policy"],
                        ["policy", "check"], ["policy", "hash-token"], ["send"]):
            self.refundctl(*command, "--help")
        self.refundctl("policy", "check", self.file("p1", self.policy()))
        self.refundctl("policy", "check", self.file("p2", self.policy().replace("sha256:", "")))
        self.refundctl("policy", "check", self.file("p3", f'{{"subscribers": {{"books": "{BROKEN_SECRET}}}'))
        self.refundctl("policy", "hash-token", given=ILL_FORMED_TOKEN)
        self.refundctl("policy", "hash-token", given=WRONG_TOKEN[:12])
        self.refundctl("--ca_file", self.authority.cert_file, "--token_file", self.file("t", ILL_FORMED_TOKEN), "info")
        self.refundctl("--ca_file", self.file("k", self.key_pems[0]), "info")
        self.refundctl("--ca_file", self.authority.cert_file, "--cert_file", self.file("k2", self.key_pems[0]),
                       "--key_file", self.authority.cert_file, "info")
        self.refundctl("send", "--sample=pass", "--secret-file", os.path.join(self.folder, "absent"))
