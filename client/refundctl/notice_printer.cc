#include "client/refundctl/notice_printer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/printable.h"
#include "client/refundctl/exit_code.h"
#include "client/refundctl/flag_of_field.h"
#include "client/refundctl/json_line.h"
#include "refund_relay/position_text.h"

namespace refund_relay {
namespace {

// Whether the field lines say all that the message says: the server joins them to make it.
bool RepeatsItsFields(const RpcError& error) {
  return !error.field_violations.empty() &&
         std::all_of(error.field_violations.begin(), error.field_violations.end(), [&error](const auto& violation) {
           return error.message.find(violation.description) != std::string::npos;
         });
}

std::string ErrorText(const RpcError& error, Command command) {
  RpcError first_line = error;
  if (RepeatsItsFields(error)) first_line.message.clear();
  std::string text = absl::StrCat("refundctl: error: ", RpcErrorText(first_line), "\n");
  for (const auto& violation : error.field_violations) {
    const std::string flag = FlagOfField(violation.field);
    absl::StrAppend(&text, "  ", Printable(flag.empty() ? violation.field : flag), ": ",
                    Printable(WithFlags(violation.description)), "\n");
  }
  const std::string advice = WhatToDo(error, command);
  if (!advice.empty()) absl::StrAppend(&text, "  ", advice, "\n");
  return text;
}

std::string ErrorJson(const RpcError& error, Command command) {
  JsonLine line("error");
  line.Add("code", CodeName(error.code)).Add("reason", error.reason).Add("message", error.message);
  std::string metadata;
  for (const auto& [key, value] : error.metadata) {
    absl::StrAppend(&metadata, metadata.empty() ? "" : ",", JsonString(key), ":", JsonString(value));
  }
  line.AddJson("metadata", absl::StrCat("{", metadata, "}"));
  std::string violations;
  for (const auto& violation : error.field_violations) {
    absl::StrAppend(&violations, violations.empty() ? "" : ",", "{\"field\":", JsonString(violation.field),
                    ",\"flag\":", JsonString(FlagOfField(violation.field)),
                    ",\"description\":", JsonString(violation.description), "}");
  }
  line.AddJson("field_violations", absl::StrCat("[", violations, "]"));
  return line.Add("what_to_do", WhatToDo(error, command)).Build() + "\n";
}

}  // namespace

void NoticePrinter::Notice(std::string_view kind, std::string_view text,
                           const std::optional<refundrelay::v1::Position>& position) {
  if (format_ == OutputFormat::kText) {
    err_ << "refundctl: " << Printable(text);
    if (position.has_value()) err_ << " (position " << Printable(FormatPosition(*position)) << ")";
    err_ << std::endl;
    return;
  }
  JsonLine line(kind);
  line.Add("text", text);
  if (position.has_value()) line.Add("position", FormatPosition(*position));
  err_ << line.Build() << std::endl;
}

void NoticePrinter::Error(const RpcError& error) {
  err_ << (format_ == OutputFormat::kText ? ErrorText(error, command_) : ErrorJson(error, command_)) << std::flush;
}

void NoticePrinter::ResumePosition(const refundrelay::v1::Position& position) {
  const std::string text = FormatPosition(position);
  if (format_ == OutputFormat::kText) {
    err_ << "refundctl: resume with --after=" << Printable(text) << std::endl;
  } else {
    err_ << JsonLine("position").Add("position", text).Build() << std::endl;
  }
}

RpcError OutputFailed(std::string why) {
  return MakeRpcError(grpc::StatusCode::ABORTED, std::move(why), "OUTPUT_FAILED");
}

int ReportError(NoticePrinter& notices, const RpcError& error) {
  notices.Error(error);
  if (error.reason == "OUTPUT_FAILED") return kExitLocal;
  return IsUnreachable(error) ? kExitUnreachable : kExitRefused;
}

}  // namespace refund_relay
