#include "server/ingress/http_answer.h"

#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

void AppendField(std::string_view name, std::string_view value, std::string& out) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

void AppendHttpAnswer(const HttpAnswer& answer, const AnswerFraming& framing, std::string& out) {
  out.append("HTTP/1.1 ");
  absl::StrAppend(&out, answer.status, " ");
  out.append(ReasonPhrase(answer.status)).append("\r\n");
  if (!framing.date.empty()) AppendField("Date", framing.date, out);
  AppendField("Content-Type", answer.content_type, out);
  absl::StrAppend(&out, "Content-Length: ", answer.body.size(), "\r\n");
  if (!framing.request_id.empty()) AppendField("X-Request-Id", framing.request_id, out);
  for (const auto& [name, value] : answer.fields) AppendField(name, value, out);
  if (!framing.keep_alive) {
    AppendField("Connection", "close", out);
  } else if (!framing.is_http11) {
    AppendField("Connection", "keep-alive", out);
  }
  out.append("\r\n");
  if (!framing.omit_body) out.append(answer.body);
}

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Error";
  }
}

}  // namespace refund_relay
