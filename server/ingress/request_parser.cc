#include "server/ingress/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <functional>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

// Chunk framing may cost this many times the largest body, so that one-byte chunks pass and endless extensions do not.
constexpr size_t kMaxChunkOverhead = 16;
constexpr size_t kSpareFramingBytes = 65536;

std::string_view Std(string_view text) { return {text.data(), text.size()}; }

bool IsDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Letters, digits and what else may stand in `host[:port]`, `[v6]:port` (RFC 3986, 3.2.2). An empty Host is legal.
bool IsHost(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) ||
           std::string_view("-._~!$&'()*+;=:[]%").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

}  // namespace

// Beast's parser without its containers: fields go to the RequestHead, body bytes to one reused string.
class RequestParser::Tokens final {
 public:
  explicit Tokens(RequestParser& owner) : owner_(owner) { Reset(); }

  void Reset() {
    parser_.emplace(owner_);
    parser_->header_limit(static_cast<uint32_t>(owner_.limits_.head_bytes));
    parser_->body_limit(boost::none);
  }

  size_t Put(std::string_view bytes, error_code& ec) { return parser_->Parse(bytes, ec); }
  bool is_done() const { return parser_->is_done(); }
  bool keep_alive() const { return parser_->keep_alive(); }
  bool chunked() const { return parser_->chunked(); }
  std::optional<uint64_t> content_length() const {
    const auto length = parser_->content_length();
    return length ? std::optional<uint64_t>(*length) : std::nullopt;
  }

 private:
  class Parser final : public http::basic_parser<true> {
   public:
    explicit Parser(RequestParser& owner) : owner_(owner) {}

    size_t Parse(std::string_view bytes, error_code& ec) {
      input_ = bytes;
      return put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
    }

   private:
    void on_request_impl(http::verb, string_view method, string_view target, int version, error_code&) override {
      owner_.head_.SetRequestLine(Std(method), Std(target));
      owner_.head_.is_http11 = version == 11;
    }
    void on_response_impl(int, string_view, int, error_code&) override {}
    void on_field_impl(http::field, string_view name, string_view value, error_code& ec) override {
      if (owner_.head_done_) return;  // a trailer: nothing here needs one
      if (IsFolded(name, value)) {
        ec = http::error::bad_obs_fold;
        return;
      }
      if (owner_.head_.field_count() >= owner_.limits_.max_fields) {
        ec = http::error::header_limit;
        return;
      }
      owner_.head_.AddField(Std(name), Std(value));
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(boost::optional<uint64_t> const&, error_code&) override {}
    size_t on_body_impl(string_view body, error_code&) override {
      owner_.body_.append(body.data(), body.size());
      return body.size();
    }
    void on_chunk_header_impl(uint64_t size, string_view, error_code& ec) override {
      if (size > owner_.limits_.body_bytes - std::min(owner_.limits_.body_bytes, owner_.body_.size())) {
        ec = http::error::body_limit;
      }
    }
    size_t on_chunk_body_impl(uint64_t, string_view body, error_code&) override {
      owner_.body_.append(body.data(), body.size());
      return body.size();
    }
    void on_finish_impl(error_code&) override {}

    // Beast unfolds obs-fold, which other servers read differently. The unfolded value lies outside the input, or (when
    // its first line is empty) behind a line end.
    bool IsFolded(string_view name, string_view value) const {
      const std::less<const char*> before;
      const char* const name_end = name.data() + name.size();
      if (before(value.data(), name_end) || before(input_.data() + input_.size(), value.data())) return true;
      return std::find(name_end, value.data(), '\n') != value.data();
    }

    RequestParser& owner_;
    std::string_view input_;
  };

  RequestParser& owner_;
  std::optional<Parser> parser_;  // Beast's cannot be reset, only made anew
};

RequestParser::RequestParser(const Limits& limits) : limits_(limits), tokens_(std::make_unique<Tokens>(*this)) {}
RequestParser::~RequestParser() = default;

void RequestParser::Reset() {
  head_.Clear();
  body_.clear();
  tokens_->Reset();
  head_bytes_taken_ = 0;
  head_bytes_scanned_ = 0;
  last_scanned_ = 0;
  body_bytes_taken_ = 0;
  head_done_ = false;
  refusal_status_ = 0;
  refusal_detail_.clear();
}

bool RequestParser::done() const { return head_done_ && tokens_->is_done(); }

bool RequestParser::keep_alive() const { return tokens_->keep_alive(); }

RequestParser::Progress RequestParser::Put(std::string_view bytes, size_t& consumed) {
  consumed = 0;
  return head_done_ ? PutBody(bytes, consumed) : PutHead(bytes, consumed);
}

RequestParser::Progress RequestParser::PutHead(std::string_view bytes, size_t& consumed) {
  if (bytes.empty()) return Progress::kNeedMore;
  error_code ec;
  consumed = tokens_->Put(bytes, ec);
  const bool need_more = ec == http::error::need_more;
  if (need_more && HasBareLineEnd(bytes)) return Refuse(400, "a line ends with something other than CR LF");
  head_bytes_taken_ += consumed;
  const size_t seen = head_bytes_taken_ + (need_more ? bytes.size() - consumed : 0);
  if (ec == http::error::header_limit || seen > limits_.head_bytes) {
    return Refuse(431, absl::StrCat("the request line and the header fields may take ", limits_.head_bytes,
                                    " bytes and ", limits_.max_fields, " fields"));
  }
  if (need_more) return Progress::kNeedMore;
  if (ec) return Refuse(400, absl::StrCat("not an HTTP/1.1 request: ", ec.message()));
  if (const std::string_view problem = CheckFraming(); !problem.empty()) return Refuse(400, problem);
  head_.chunked = tokens_->chunked();
  head_.content_length = tokens_->content_length();
  head_done_ = true;
  return Progress::kHeadDone;
}

bool RequestParser::HasBareLineEnd(std::string_view bytes) {
  for (const char c : bytes.substr(head_bytes_scanned_ - head_bytes_taken_)) {
    if ((c == '\n') != (last_scanned_ == '\r')) return true;
    last_scanned_ = c;
  }
  head_bytes_scanned_ = head_bytes_taken_ + bytes.size();
  return false;
}

RequestParser::Progress RequestParser::PutBody(std::string_view bytes, size_t& consumed) {
  while (!tokens_->is_done()) {
    if (consumed == bytes.size()) return Progress::kNeedMore;
    error_code ec;
    const size_t taken = tokens_->Put(bytes.substr(consumed), ec);
    consumed += taken;
    body_bytes_taken_ += taken;
    if (ec == http::error::body_limit ||
        (head_.chunked && body_bytes_taken_ > limits_.body_bytes * kMaxChunkOverhead + kSpareFramingBytes)) {
      return Refuse(413, absl::StrCat("a body may take ", limits_.body_bytes, " bytes"));
    }
    if (ec == http::error::need_more) return Progress::kNeedMore;
    if (ec) return Refuse(400, absl::StrCat("the chunked body is ill-formed: ", ec.message()));
  }
  return Progress::kDone;
}

RequestParser::Progress RequestParser::Refuse(int status, std::string_view detail) {
  refusal_status_ = status;
  refusal_detail_ = detail;
  return Progress::kRefused;
}

std::string_view RequestParser::CheckFraming() const {
  const size_t lengths = head_.Count("Content-Length");
  const size_t encodings = head_.Count("Transfer-Encoding");
  const size_t hosts = head_.Count("Host");
  if (lengths > 1) return "more than one Content-Length";
  if (lengths == 1 && !IsDigits(head_.Value("Content-Length"))) return "Content-Length must be one decimal number";
  if (lengths > 0 && encodings > 0) return "Content-Length and Transfer-Encoding exclude each other";
  if (encodings > 1) return "more than one Transfer-Encoding";
  if (encodings == 1) {
    const std::string_view value = head_.Value("Transfer-Encoding");
    if (!absl::EqualsIgnoreCase(absl::string_view(value.data(), value.size()), "chunked")) {
      return "the only Transfer-Encoding accepted is chunked";
    }
    if (!head_.is_http11) return "Transfer-Encoding needs HTTP/1.1";
  }
  if (hosts > 1) return "more than one Host";
  if (hosts == 0 && head_.is_http11) return "HTTP/1.1 needs a Host";
  if (hosts == 1 && !IsHost(head_.Value("Host"))) return "Host is ill-formed";
  return {};
}

}  // namespace refund_relay
