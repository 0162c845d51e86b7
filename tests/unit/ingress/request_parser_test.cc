// The framing rules, byte by byte: what is refused, what is not, and that it does not matter how the bytes arrive.
#include "server/ingress/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace refund_relay {
namespace {

using ::testing::HasSubstr;
using Progress = RequestParser::Progress;

// Feeds `text` in pieces of `piece` bytes, keeping what was not consumed, until the request is done or refused.
Progress Feed(RequestParser& parser, std::string_view text, size_t piece, size_t& taken) {
  taken = 0;
  size_t given = 0;
  while (true) {
    size_t consumed = 0;
    const Progress progress = parser.Put(text.substr(taken, given - taken), consumed);
    taken += consumed;
    if (progress == Progress::kDone || progress == Progress::kRefused) return progress;
    if (progress == Progress::kHeadDone) continue;
    if (given == text.size()) return Progress::kNeedMore;
    given = std::min(text.size(), given + piece);
  }
}

// The refusal's status; 0 if the request is complete, -1 if it is not.
int StatusOf(std::string_view text, size_t piece = 4096) {
  RequestParser parser({});
  size_t taken = 0;
  switch (Feed(parser, text, piece, taken)) {
    case Progress::kDone:
      return 0;
    case Progress::kRefused:
      return parser.refusal_status();
    default:
      return -1;
  }
}

std::string WithFields(const std::string& fields, const std::string& body = "",
                       const std::string& line = "POST /webhooks/refund HTTP/1.1") {
  return line + "\r\n" + fields + "\r\n" + body;
}

TEST(RequestParserTest, TakesARequestWithLength) {
  RequestParser parser({});
  size_t taken = 0;
  const std::string text = WithFields("Host: a\r\nContent-Length: 5\r\nX-Y:  z \r\n", "hello");
  ASSERT_EQ(Feed(parser, text + "GET /next", 4096, taken), Progress::kDone);
  EXPECT_EQ(taken, text.size()) << "the next request's bytes stay";
  EXPECT_EQ(parser.head().method(), "POST");
  EXPECT_EQ(parser.head().path(), "/webhooks/refund");
  EXPECT_EQ(parser.head().Value("x-y"), "z");
  EXPECT_EQ(parser.head().content_length, 5u);
  EXPECT_EQ(parser.body(), "hello");
  EXPECT_TRUE(parser.keep_alive());
}

TEST(RequestParserTest, TakesAChunkedRequestWithExtensionsAndTrailers) {
  for (size_t piece = 1; piece < 40; ++piece) {
    RequestParser parser({});
    size_t taken = 0;
    const std::string text = WithFields("Host: a\r\nTransfer-Encoding: Chunked\r\n",
                                        "3;x=\"y\"\r\nabc\r\n0a\r\n0123456789\r\n0\r\nContent-Type: x\r\n\r\n");
    ASSERT_EQ(Feed(parser, text, piece, taken), Progress::kDone) << piece << " " << parser.refusal_detail();
    EXPECT_EQ(parser.body(), "abc0123456789");
    EXPECT_EQ(parser.head().Count("Content-Type"), 0u) << "a trailer is no header field";
    EXPECT_EQ(taken, text.size());
  }
}

TEST(RequestParserTest, IsReusable) {
  RequestParser parser({});
  size_t taken = 0;
  ASSERT_EQ(Feed(parser, WithFields("Host: a\r\nContent-Length: 1\r\n", "x"), 3, taken), Progress::kDone);
  parser.Reset();
  ASSERT_EQ(Feed(parser, WithFields("Host: b\r\nContent-Length: 2\r\n", "yz"), 3, taken), Progress::kDone);
  EXPECT_EQ(parser.body(), "yz");
  EXPECT_EQ(parser.head().Value("Host"), "b");
}

TEST(RequestParserTest, AbsoluteTargetAndQuery) {
  for (const auto& [target, path] : std::initializer_list<std::pair<std::string, std::string>>{
           {"/a?b=/c", "/a"}, {"http://h/a?b", "/a"}, {"HTTPS://h:1/a", "/a"}, {"http://h", ""}, {"*", "*"}}) {
    RequestParser parser({});
    size_t taken = 0;
    ASSERT_EQ(Feed(parser, WithFields("Host: a\r\n", "", "POST " + target + " HTTP/1.1"), 99, taken), Progress::kDone);
    EXPECT_EQ(parser.head().path(), path) << target;
  }
}

struct Shape {
  const char* name;
  std::string text;
};

class RefusedShapeTest : public ::testing::TestWithParam<Shape> {};

TEST_P(RefusedShapeTest, Is400HoweverItArrives) {
  for (const size_t piece : {1, 2, 7, 4096}) EXPECT_EQ(StatusOf(GetParam().text, piece), 400) << "pieces of " << piece;
}

const std::string kChunk = "1\r\nx\r\n0\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Shapes, RefusedShapeTest,
    ::testing::Values(
        Shape{"LengthThenChunked",
              WithFields("Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", kChunk)},
        Shape{"ChunkedThenLength",
              WithFields("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n", kChunk)},
        Shape{"XchunkedThenLength", WithFields("Host: a\r\nTransfer-Encoding: xchunked\r\nContent-Length: 1\r\n", "x")},
        Shape{"TwoEqualLengths", WithFields("Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n", "x")},
        Shape{"TwoLengths", WithFields("Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "xy")},
        Shape{"LengthList", WithFields("Host: a\r\nContent-Length: 3, 3\r\n", "abc")},
        Shape{"SignedLength", WithFields("Host: a\r\nContent-Length: +3\r\n", "abc")},
        Shape{"NegativeLength", WithFields("Host: a\r\nContent-Length: -3\r\n", "abc")},
        Shape{"HexLength", WithFields("Host: a\r\nContent-Length: 0x3\r\n", "abc")},
        Shape{"EmptyLength", WithFields("Host: a\r\nContent-Length: \r\n")},
        Shape{"SpaceInLength", WithFields("Host: a\r\nContent-Length: 1 0\r\n", "0123456789")},
        Shape{"HugeLength", WithFields("Host: a\r\nContent-Length: 18446744073709551616\r\n")},
        Shape{"Xchunked", WithFields("Host: a\r\nTransfer-Encoding: xchunked\r\n", kChunk)},
        Shape{"ChunkedGzip", WithFields("Host: a\r\nTransfer-Encoding: chunked, gzip\r\n", kChunk)},
        Shape{"GzipChunked", WithFields("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", kChunk)},
        Shape{"ChunkedChunked", WithFields("Host: a\r\nTransfer-Encoding: chunked, chunked\r\n", kChunk)},
        Shape{"ChunkedGzipWithLength",
              WithFields("Host: a\r\nTransfer-Encoding: chunked, gzip\r\nContent-Length: 1\r\n", "x")},
        Shape{"TwoEncodings",
              WithFields("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", kChunk)},
        Shape{"TwoOddEncodings",
              WithFields("Host: a\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", kChunk)},
        Shape{"EmptyEncoding", WithFields("Host: a\r\nTransfer-Encoding:\r\n", kChunk)},
        Shape{"IdentityEncoding", WithFields("Host: a\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n", "x")},
        Shape{"QuotedChunked", WithFields("Host: a\r\nTransfer-Encoding: \"chunked\"\r\n", kChunk)},
        Shape{"ChunkedOnHttp10", WithFields("Host: a\r\nTransfer-Encoding: chunked\r\n", kChunk, "POST / HTTP/1.0")},
        Shape{"TwoHosts", WithFields("Host: a\r\nHost: a\r\nContent-Length: 1\r\n", "x")},
        Shape{"TwoHostsHttp10", WithFields("Host: a\r\nHost: b\r\nContent-Length: 1\r\n", "x", "POST / HTTP/1.0")},
        Shape{"NoHost", WithFields("Content-Length: 1\r\n", "x")},
        Shape{"HostList", WithFields("Host: a, b\r\nContent-Length: 1\r\n", "x")},
        Shape{"HostWithPath", WithFields("Host: a/b\r\nContent-Length: 1\r\n", "x")},
        Shape{"Http2", WithFields("Host: a\r\n", "", "POST / HTTP/2.0")}, Shape{"Http09", "GET /\r\n\r\n"},
        Shape{"BareLineFeeds", "POST / HTTP/1.1\nHost: a\nContent-Length: 1\n\nx"},
        Shape{"BareLineFeedInField", WithFields("Host: a\nContent-Length: 1\r\n", "x")},
        Shape{"BareCarriageReturn", WithFields("Host: a\rb\r\nContent-Length: 1\r\n", "x")},
        Shape{"BareCarriageReturnAtEnd", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\rXx"},
        Shape{"ObsFold", WithFields("Host: a\r\nX-A: b\r\n c\r\nContent-Length: 1\r\n", "x")},
        Shape{"ObsFoldAfterEmptyLine", WithFields("Host: a\r\nTransfer-Encoding:\r\n chunked\r\n", kChunk)},
        Shape{"ObsFoldOfLength", WithFields("Host: a\r\nContent-Length:\r\n\t1\r\n", "x")},
        Shape{"ObsFoldOfNothing", WithFields("Host: a\r\nX-A: b\r\n \r\nContent-Length: 1\r\n", "x")},
        Shape{"SpaceBeforeColon", WithFields("Host: a\r\nContent-Length : 1\r\n", "x")},
        Shape{"SpaceBeforeName", "POST / HTTP/1.1\r\n Host: a\r\n\r\n"},
        Shape{"NulInValue", WithFields(std::string("Host: a\r\nX: \0y\r\n", 16))},
        Shape{"NoColon", WithFields("Host: a\r\nContent-Length\r\n")},
        Shape{"EmptyName", WithFields("Host: a\r\n: b\r\n")},
        Shape{"LeadingEmptyLine", "\r\nPOST / HTTP/1.1\r\nHost: a\r\n\r\n"},
        Shape{"TwoSpaces", WithFields("Host: a\r\n", "", "POST  / HTTP/1.1")},
        Shape{"BadChunkSize", WithFields("Host: a\r\nTransfer-Encoding: chunked\r\n", "x\r\n\r\n")},
        Shape{"SignedChunkSize", WithFields("Host: a\r\nTransfer-Encoding: chunked\r\n", "+1\r\nx\r\n0\r\n\r\n")},
        Shape{"HugeChunkSize",
              WithFields("Host: a\r\nTransfer-Encoding: chunked\r\n", "10000000000000001\r\nx\r\n0\r\n\r\n")},
        Shape{"ChunkLongerThanSaid", WithFields("Host: a\r\nTransfer-Encoding: chunked\r\n", "1\r\nxyz\r\n0\r\n\r\n")},
        Shape{"BareLineFeedInChunks", WithFields("Host: a\r\nTransfer-Encoding: chunked\r\n", "1\nx\n0\n\r\n\r\n")},
        Shape{"LengthInTrailer",
              WithFields("Host: a\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n")}),
    [](const auto& param_info) { return param_info.param.name; });

TEST(RequestParserTest, HeadLimitIs431ToTheByte) {
  const std::string start = "POST /webhooks/refund HTTP/1.1\r\nHost: a\r\nX: ";
  const std::string fits = start + std::string(8192 - start.size() - 4, 'x') + "\r\n\r\n";
  const std::string one_more = start + std::string(8192 - start.size() - 3, 'x') + "\r\n\r\n";
  for (const size_t piece : {1, 1000, 16384}) {
    EXPECT_EQ(StatusOf(fits, piece), 0) << piece;
    EXPECT_EQ(StatusOf(one_more, piece), 431) << piece;
  }
  EXPECT_EQ(StatusOf("POST /" + std::string(9000, 'x')), 431) << "an endless request line";
  EXPECT_EQ(StatusOf("POST / HTTP/1.1\r\nHost: " + std::string(9000, 'x')), 431) << "an endless field";
}

TEST(RequestParserTest, TooManyFieldsAre431) {
  std::string fields = "Host: a\r\n";
  for (int i = 0; i < 99; ++i) fields += "X: y\r\n";
  EXPECT_EQ(StatusOf(WithFields(fields)), 0);
  EXPECT_EQ(StatusOf(WithFields(fields + "X: y\r\n")), 431);
}

TEST(RequestParserTest, ChunkedBodyBeyondTheLimitIs413BeforeItIsRead) {
  const std::string head = WithFields("Host: a\r\nTransfer-Encoding: chunked\r\n");
  EXPECT_EQ(StatusOf(head + "10000\r\n" + std::string(65536, 'x') + "\r\n0\r\n\r\n"), 0);
  EXPECT_EQ(StatusOf(head + "10001\r\n"), 413);
  EXPECT_EQ(StatusOf(head + "ffff\r\n" + std::string(65535, 'x') + "\r\n2\r\n"), 413);
}

TEST(RequestParserTest, EndlessChunkExtensionsAre413) {
  std::string body;
  for (int i = 0; i < 1200; ++i) body += "1;" + std::string(1000, 'e') + "\r\nx\r\n";
  EXPECT_EQ(StatusOf(WithFields("Host: a\r\nTransfer-Encoding: chunked\r\n", body)), 413);
}

TEST(RequestParserTest, DetailNamesTheShape) {
  RequestParser parser({});
  size_t taken = 0;
  Feed(parser, WithFields("Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n", "x"), 4096, taken);
  EXPECT_THAT(std::string(parser.refusal_detail()), HasSubstr("more than one Content-Length"));
}

TEST(RequestParserTest, KeepAliveFollowsVersionAndConnection) {
  const auto keeps = [](const std::string& line, const std::string& fields) {
    RequestParser parser({});
    size_t taken = 0;
    EXPECT_EQ(Feed(parser, WithFields("Host: a\r\n" + fields, "", line), 4096, taken), Progress::kDone);
    return parser.keep_alive();
  };
  EXPECT_TRUE(keeps("POST / HTTP/1.1", ""));
  EXPECT_FALSE(keeps("POST / HTTP/1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("POST / HTTP/1.0", ""));
  EXPECT_TRUE(keeps("POST / HTTP/1.0", "Connection: keep-alive\r\n"));
}

}  // namespace
}  // namespace refund_relay
