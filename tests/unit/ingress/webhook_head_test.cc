// Heads of webhook requests: media types and trace contexts.
#include "server/ingress/webhook_head.h"

#include <gtest/gtest.h>

#include "server/ingress/trace_context.h"

namespace refund_relay {
namespace {

TEST(WebhookHeadTest, JsonMediaTypes) {
  for (const char* type :
       {"application/json", "Application/JSON", "application/json;charset=utf-8", "application/json; charset=\"UTF-8\"",
        "application/json ; charset=utf-8 ; v=1", "application/json; profile=\"a;charset=x\"", "application/json;",
        "application/json; a=\"\\\"\""}) {
    EXPECT_TRUE(IsJsonMediaType(type)) << type;
  }
  for (const char* type :
       {"", "text/plain", "application/json5", "application/jso", "application/json charset=utf-8",
        "application/json; charset=latin1", "application/json; charset",
        "application/json; charset=", "application/json; charset=\"utf-8", "application/json, text/plain",
        "application/json; charset=utf-8; charset=utf-16", "application/x-www-form-urlencoded"}) {
    EXPECT_FALSE(IsJsonMediaType(type)) << type;
  }
}

TEST(TraceContextTest, ValidTraceparents) {
  for (const char* value : {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-later"}) {
    RequestHead head;
    head.AddField("Traceparent", value);
    EXPECT_EQ(TraceparentOf(head), value);
  }
}

TEST(TraceContextTest, InvalidOnesCountAsNone) {
  for (const char* value : {"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
                            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                            "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
                            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x", "00-0af7-b7ad-01"}) {
    RequestHead head;
    head.AddField("traceparent", value);
    EXPECT_EQ(TraceparentOf(head), "") << value;
  }
  RequestHead twice;
  twice.AddField("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  twice.AddField("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(TraceparentOf(twice), "");
}

}  // namespace
}  // namespace refund_relay
