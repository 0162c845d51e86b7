#include "server/ops/readiness.h"

#include <set>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/ops/json_string.h"

namespace refund_relay {
namespace {

std::set<std::string> ExcludedNames(std::string_view query) {
  std::set<std::string> names;
  for (absl::string_view parameter : absl::StrSplit(absl::string_view(query.data(), query.size()), '&')) {
    if (!absl::ConsumePrefix(&parameter, "exclude=")) continue;
    for (const absl::string_view name : absl::StrSplit(parameter, ',', absl::SkipEmpty())) names.emplace(name);
  }
  return names;
}

}  // namespace

ReadinessReport CheckReadiness(const std::vector<ReadinessCheck>& checks, std::string_view query) {
  auto excluded = ExcludedNames(query);
  ReadinessReport report;
  std::string list;
  for (const auto& [name, check] : checks) {
    const absl::Status status = check();
    const bool counts = excluded.erase(name) == 0;
    if (counts && !status.ok()) report.ready = false;
    list.append(list.empty() ? "{\"name\":" : ",{\"name\":");
    AppendJsonString(list, name);
    list.append(status.ok() ? ",\"ready\":true" : ",\"ready\":false");
    if (!counts) list.append(",\"excluded\":true");
    if (!status.ok()) {
      list.append(",\"reason\":");
      AppendJsonString(list, std::string_view(status.message().data(), status.message().size()));
    }
    list.push_back('}');
  }
  report.json = report.ready ? "{\"ready\":true,\"checks\":[" : "{\"ready\":false,\"checks\":[";
  report.json.append(list).push_back(']');
  std::string_view separator = ",\"unknown_excluded\":[";
  for (const auto& name : excluded) {
    report.json.append(separator);
    AppendJsonString(report.json, name);
    separator = ",";
  }
  report.json.append(excluded.empty() ? "}" : "]}");
  return report;
}

}  // namespace refund_relay
