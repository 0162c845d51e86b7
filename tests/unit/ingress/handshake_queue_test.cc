// HandshakeQueue: peers take turns.
#include "server/ingress/handshake_queue.h"

#include <string>

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

PeerAddress Of(const std::string& text) { return PeerAddress::Of(boost::asio::ip::make_address(text)); }

// Runs all that waits; the letters of the steps in the order in which they ran.
std::string Order(HandshakeQueue& queue, std::string& ran) {
  while (HandshakeQueue::Step step = queue.Next()) step();
  return ran;
}

TEST(HandshakeQueueTest, APeerThatFloodsWaitsForItself) {
  HandshakeQueue queue;
  std::string ran;
  for (const char letter : std::string("abcdef")) {
    queue.Add(Of("192.0.2.1"), [&ran, letter] { ran += letter; });
  }
  queue.Add(Of("192.0.2.2"), [&ran] { ran += 'X'; });
  queue.Add(Of("192.0.2.3"), [&ran] { ran += 'Y'; });
  queue.Add(Of("192.0.2.2"), [&ran] { ran += 'Z'; });
  EXPECT_EQ(Order(queue, ran), "aXYbZcdef");
}

TEST(HandshakeQueueTest, AStepMayAddAnother) {
  HandshakeQueue queue;
  std::string ran;
  queue.Add(Of("192.0.2.1"), [&] {
    ran += 'a';
    queue.Add(Of("192.0.2.1"), [&ran] { ran += 'b'; });
  });
  EXPECT_EQ(Order(queue, ran), "ab");
}

TEST(HandshakeQueueTest, NothingWaitsAfterClear) {
  HandshakeQueue queue;
  queue.Add(Of("192.0.2.1"), [] { FAIL(); });
  queue.Clear();
  EXPECT_EQ(queue.Next(), nullptr);
}

}  // namespace
}  // namespace refund_relay
