// The answer to one HTTP request, and how it is put on the wire.
#ifndef REFUND_RELAY_SERVER_INGRESS_HTTP_ANSWER_H_
#define REFUND_RELAY_SERVER_INGRESS_HTTP_ANSWER_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace refund_relay {

struct HttpAnswer {
  int status = 500;
  std::string_view content_type = "application/json";  // lives for ever
  std::string body;
  std::vector<std::pair<std::string_view, std::string>> fields;  // names live for ever; values hold no line ends
  bool close = false;                                            // the connection must not be used again
};

// What the connection adds to an answer.
struct AnswerFraming {
  std::string_view date;  // an IMF-fixdate, may be empty
  std::string_view request_id;
  bool is_http11 = true;
  bool keep_alive = true;
  bool omit_body = false;  // the answer to HEAD
};

// Appends the answer as it goes onto the wire. A pure function.
void AppendHttpAnswer(const HttpAnswer& answer, const AnswerFraming& framing, std::string& out);

// The reason phrase of `status`; `Error` for one that this server never sends.
std::string_view ReasonPhrase(int status);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HTTP_ANSWER_H_
