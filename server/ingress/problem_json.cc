#include "server/ingress/problem_json.h"

#include "absl/strings/str_cat.h"
#include "server/ops/json_string.h"

namespace refund_relay {

std::string ProblemJson(int status, std::string_view title, std::string_view detail, std::string_view quarantine_id) {
  std::string out = "{\"title\":";
  AppendJsonString(out, title);
  absl::StrAppend(&out, ",\"status\":", status, ",\"detail\":");
  AppendJsonString(out, detail);
  if (!quarantine_id.empty()) {
    out.append(",\"quarantine_id\":");
    AppendJsonString(out, quarantine_id);
  }
  out.push_back('}');
  return out;
}

}  // namespace refund_relay
