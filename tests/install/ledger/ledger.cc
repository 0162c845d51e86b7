// ledger ADDRESS POSITION_FILE: prints the refunds that it has not booked yet, and ends.
#include <cstdlib>
#include <iostream>

#include "refund_relay/connection.h"
#include "refund_relay/grpc_event_stream.h"
#include "refund_relay/subscriber.h"

int main(int argc, char** argv) {
  if (argc != 3) return EXIT_FAILURE;
  refund_relay::SubscriberOptions options;
  options.request.set_subscriber_name("ledger");
  options.request.set_start_from(refundrelay::v1::START_FROM_EARLIEST);
  options.request.set_stop_when_caught_up(true);

  refund_relay::SubscriberParts parts;
  parts.streams = refund_relay::MakeGrpcEventStreamFactory(refund_relay::MakeConnection(argv[1]));
  parts.keeper = refund_relay::MakeFilePositionKeeper(argv[2], "ledger");
  parts.handler = [](const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position&) {
    std::cout << delivery.event().refund().id() << " " << delivery.event().refund().amount().units() << std::endl;
    return absl::OkStatus();
  };
  const refund_relay::SubscriberResult result = refund_relay::Subscriber(options, parts).Run();
  if (result.ok()) return EXIT_SUCCESS;
  std::cerr << refund_relay::RpcErrorText(result.error) << "\n";
  return EXIT_FAILURE;
}
