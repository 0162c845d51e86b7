#include "refund_relay/subscriber.h"

#include <utility>

#include "client/subscriber_run.h"

namespace refund_relay {

Subscriber::Subscriber(SubscriberOptions options, SubscriberParts parts)
    : run_(std::make_unique<SubscriberRun>(std::move(options), std::move(parts))) {}

Subscriber::~Subscriber() = default;

SubscriberResult Subscriber::Run() { return run_->Run(); }

void Subscriber::Stop() { run_->Stop(); }

}  // namespace refund_relay
