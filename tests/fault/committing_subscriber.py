"""A subscriber that keeps its position at the server, made to be killed: run by test_committing_subscriber.

Reads one line for each life from stdin: the server's address and how many events it handles between two commits. Each life
is a process of its own, forked from one that has imported everything. What it does goes to stdout, a line each, before
and after it is done, so that nothing is forgotten by SIGKILL: `life PID`, `handled SEQUENCE`, `sent SEQUENCE` (a commit),
`acked SEQUENCE`, `gone`."""

import os
import sys
import traceback

import grpc
from google.protobuf import duration_pb2
from refundrelay.v1 import refund_event_service_pb2 as service
from refundrelay.v1 import refund_event_service_pb2_grpc as service_grpc

NAME = "ledger"


def say(word, value=""):
    os.write(1, f"{word} {value}\n".encode())


def live(address, events_per_commit):
    stub = service_grpc.RefundEventServiceStub(grpc.insecure_channel(address))
    request = service.SubscribeRequest(
        subscriber_name=NAME,
        start_from=service.START_FROM_COMMITTED,
        heartbeat_interval=duration_pb2.Duration(seconds=1),
        max_batch_events=50,
    )
    uncommitted = 0
    for response in stub.Subscribe(request):
        for delivery in response.batch.deliveries:
            say("handled", delivery.sequence)
            uncommitted += 1
            if uncommitted < events_per_commit:
                continue
            uncommitted = 0
            position = service.Position(log_id=response.batch.position.log_id, sequence=delivery.sequence)
            say("sent", delivery.sequence)
            try:
                stub.CommitPosition(service.CommitPositionRequest(subscriber_name=NAME, position=position))
                say("acked", delivery.sequence)
            except grpc.RpcError as error:
                # The last commit of an earlier life may arrive after this one has begun: it is further on, and harmless.
                if error.code() != grpc.StatusCode.FAILED_PRECONDITION or "lies behind" not in error.details():
                    raise


def main():
    for line in sys.stdin:
        address, events_per_commit = line.split()
        pid = os.fork()
        if pid == 0:
            say("life", os.getpid())
            try:
                live(address, int(events_per_commit))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)  # only SIGKILL ends a life
        os.waitpid(pid, 0)
        say("gone")


if __name__ == "__main__":
    main()
