"""Many subscribers in one process, for tests and benches. Reads its orders from stdin as one JSON object:
{"address", "last_sequence", "streams_per_connection", "subscribers": [{"name", "filter", "begin": "now" | "later"}]}. Prints "started" once every
stream that begins now has started, begins the others on a line of stdin, and prints what each received as JSON."""

import asyncio
import json
import os
import sys

import grpc
from google.protobuf import duration_pb2
from refundrelay.v1 import refund_event_service_pb2 as service
from refundrelay.v1 import refund_event_service_pb2_grpc

async def follow(stub, order, last_sequence, started):
    """Reads from EARLIEST until everything up to `last_sequence` was examined; returns [[sequence, event id], ...]."""
    request = service.SubscribeRequest(
        subscriber_name=order["name"],
        filter=service.EventFilter(**order["filter"]),
        start_from=service.START_FROM_EARLIEST,
        heartbeat_interval=duration_pb2.Duration(seconds=1),
    )
    received, previous = [], 0
    call = stub.Subscribe(request)
    async for response in call:
        kind = response.WhichOneof("response")
        message = getattr(response, kind)
        if kind == "started":
            started()
        elif kind == "batch":
            assert message.previous_sequence == previous, (message.previous_sequence, previous)
            for delivery in message.deliveries:
                assert delivery.sequence > previous
                previous = delivery.sequence
                received.append([delivery.sequence, delivery.event.event_id])
        if message.position.sequence >= last_sequence:
            call.cancel()
            return received
    raise AssertionError(f"{order['name']}: the stream ended early")


async def main():
    loop = asyncio.get_running_loop()
    orders = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    options = [("grpc.use_local_subchannel_pool", 1)]
    count = len(orders["subscribers"])
    channels = [
        grpc.aio.insecure_channel(orders["address"], options=options)
        for _ in range(0, count, orders["streams_per_connection"])
    ]
    stubs = [refund_event_service_pb2_grpc.RefundEventServiceStub(channel) for channel in channels]
    waiting = sum(order["begin"] == "now" for order in orders["subscribers"])
    all_started = asyncio.Event()

    def started():
        nonlocal waiting
        waiting -= 1
        if waiting == 0:
            all_started.set()

    def begin(when):
        return {
            order["name"]: asyncio.ensure_future(
                follow(stubs[index // orders["streams_per_connection"]], order, orders["last_sequence"], started)
            )
            for index, order in enumerate(orders["subscribers"])
            if order["begin"] == when
        }

    tasks = begin("now")
    failed = asyncio.gather(*tasks.values())  # so that a stream that fails early is not waited for
    await asyncio.wait([failed, asyncio.ensure_future(all_started.wait())], return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        failed.result()
    print("started", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    tasks.update(begin("later"))
    await asyncio.gather(*tasks.values())
    print(json.dumps({name: task.result() for name, task in tasks.items()}), flush=True)
    for channel in channels:
        await channel.close()
    # Joining the poller thread of this grpcio's asyncio hangs now and then, after all is done and said.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
