// refundctl send: posts a webhook as the vendor does, signed.
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/Error.hpp"
#include "CLI/Validators.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/printable.h"
#include "client/refundctl/command.h"
#include "client/refundctl/exit_code.h"
#include "client/refundctl/flag_checks.h"
#include "client/refundctl/http_post.h"
#include "client/refundctl/json_line.h"
#include "client/refundctl/notice_printer.h"
#include "client/refundctl/value_text.h"
#include "client/refundctl/webhook_credentials.h"
#include "client/refundctl/webhook_sample.h"

namespace refund_relay {
namespace {

constexpr int kUnauthorized = 401;

struct SendFlags {
  std::string file;
  std::string sample;
  bool unique = false;
  std::string url = "http://127.0.0.1:8080/webhooks/refund";
  std::string secret_file;
  std::string basic_file;
  bool break_signature = false;
  std::string every;
  uint64_t count = 0;
};

std::string Text(const absl::Status& status) { return std::string(status.message().data(), status.message().size()); }

int FailLocally(NoticePrinter& notices, const absl::Status& status) {
  notices.Notice("error", absl::StrCat("error: ", Text(status)));
  return kExitLocal;
}

absl::StatusOr<std::string> BodyOf(const SendFlags& flags) {
  if (flags.sample.empty()) return ReadWholeFile(flags.file);
  const std::string_view sample = WebhookSample(flags.sample).value();
  return flags.unique ? MakeUnique(sample, RandomRefundId(), absl::Now()) : std::string(sample);
}

using Headers = std::vector<std::pair<std::string, std::string>>;

absl::StatusOr<Headers> HeadersOf(const SendFlags& flags, const std::string& body) {
  Headers headers = {{"Content-Type", "application/json;charset=utf-8"}};
  if (!flags.secret_file.empty()) {
    const auto secret = ReadFirstSecret(flags.secret_file);
    if (!secret.ok()) return secret.status();
    std::string signature = SignWebhook(secret->view(), body);
    if (flags.break_signature) signature.back() = signature.back() == '0' ? '1' : '0';
    headers.emplace_back(kSignatureHeader, signature);
  }
  if (!flags.basic_file.empty()) {
    const auto user_password = ReadFirstSecret(flags.basic_file);
    if (!user_password.ok()) return user_password.status();
    headers.emplace_back("Authorization", BasicAuthorization(user_password->view()));
  }
  return headers;
}

// One line as JSON; as text the status line and the body below it.
std::string AnswerText(const HttpAnswer& answer, OutputFormat output) {
  if (output == OutputFormat::kJson) {
    return absl::StrCat(
        JsonLine("answer").Add("status", answer.status).AddJson("body", CompactJson(answer.body)).Build(), "\n");
  }
  std::string text = absl::StrCat(answer.status, " ", Printable(answer.reason), "\n");
  if (!answer.body.empty()) {
    const std::string json = CompactJson(answer.body);
    absl::StrAppend(&text, Printable(json), "\n");
  }
  return text;
}

// One line: when it was posted, and what came of it.
std::string AttemptText(absl::Time posted_at, const absl::StatusOr<HttpAnswer>& answer, OutputFormat output) {
  const std::string time = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", posted_at, absl::UTCTimeZone());
  if (output == OutputFormat::kJson) {
    JsonLine line(answer.ok() ? "answer" : "no_answer");
    line.Add("posted_at", time);
    if (!answer.ok()) return line.Add("error", Text(answer.status())).Build();
    return line.Add("status", answer->status).AddJson("body", CompactJson(answer->body)).Build();
  }
  if (!answer.ok()) return absl::StrCat(time, " no answer: ", Printable(Text(answer.status())));
  return absl::StrCat(time, " ", answer->status, " ", Printable(CompactJson(answer->body)));
}

// What a person checks first after a 401 that was not asked for.
std::string UnauthorizedHint(const SendFlags& flags) {
  if (flags.secret_file.empty()) return "is the user:password one of those in the server's --webhook_basic_files?";
  return "is the secret one of those in the server's --webhook_secret_files?";
}

int RunSend(const SendFlags& flags, const GlobalOptions& global) {
  NoticePrinter notices(std::cerr, global.output);
  const auto body = BodyOf(flags);
  if (!body.ok()) return FailLocally(notices, body.status());
  const auto headers = HeadersOf(flags, *body);
  if (!headers.ok()) return FailLocally(notices, headers.status());
  const HttpUrl url = ParseHttpUrl(flags.url).value();
  const auto answer = HttpPostOnceItListens(
      url, *headers, *body, global.timeout,
      [&] {
        notices.Notice("waiting", absl::StrCat("nothing listens at ", url.authority, " yet; trying again for ",
                                               absl::FormatDuration(global.timeout)));
      },
      HttpTls{global.channel.ca_file, global.channel.server_name});
  if (!answer.ok()) {
    notices.Notice("error", absl::StrCat("error: ", Text(answer.status())));
    return kExitUnreachable;
  }
  std::cout << AnswerText(*answer, global.output) << std::flush;
  if (!std::cout.good()) return FailLocally(notices, absl::UnavailableError("the answer could not be written"));
  if (answer->status == kUnauthorized && !flags.break_signature) notices.Notice("hint", UnauthorizedHint(flags));
  return answer->status >= 200 && answer->status < 300 ? kExitOk : kExitRefused;
}

// Posts a fresh webhook every so often, each of them once, whatever comes of it.
int RunSendEvery(const SendFlags& flags, const GlobalOptions& global) {
  NoticePrinter notices(std::cerr, global.output);
  const absl::Duration pause = ParsePositiveDuration(flags.every).value();
  const HttpUrl url = ParseHttpUrl(flags.url).value();
  uint64_t sent = 0;
  uint64_t good = 0;
  for (absl::Time next = absl::Now(); flags.count == 0 || sent < flags.count; next += pause) {
    absl::SleepFor(next - absl::Now());
    const auto body = BodyOf(flags);
    if (!body.ok()) return FailLocally(notices, body.status());
    const auto headers = HeadersOf(flags, *body);
    if (!headers.ok()) return FailLocally(notices, headers.status());
    const absl::Time posted_at = absl::Now();
    const auto answer =
        HttpPost(url, *headers, *body, global.timeout, HttpTls{global.channel.ca_file, global.channel.server_name});
    ++sent;
    if (answer.ok() && answer->status >= 200 && answer->status < 300) ++good;
    std::cout << AttemptText(posted_at, answer, global.output) << std::endl;
    if (!std::cout.good()) return FailLocally(notices, absl::UnavailableError("the answer could not be written"));
  }
  notices.Notice("sent", absl::StrCat(sent, " webhooks posted, ", good, " of them answered 2xx"));
  return good == sent ? kExitOk : kExitRefused;
}

std::string CheckUrl(const std::string& text) { return Text(ParseHttpUrl(text).status()); }

}  // namespace

void AddSendCommand(CLI::App& app, const GlobalOptions& global, CommandRun* run) {
  auto flags = std::make_shared<SendFlags>();
  CLI::App* send = app.add_subcommand("send", "Sign a webhook and post it, as the vendor does");
  auto* file = send->add_option("FILE", flags->file, "The body, sent byte for byte; - is stdin");
  auto* sample = send->add_option("--sample", flags->sample, "Send one of the vendor's samples instead of a file")
                     ->type_name("pass|subscription|pay_per_use")
                     ->check(CLI::IsMember({"pass", "subscription", "pay_per_use"}).description(""))
                     ->excludes(file);
  send->add_flag("--unique", flags->unique,
                 "Give the sample a fresh _id and the time of now, so that it is no duplicate")
      ->needs(sample);
  send->add_option("--url", flags->url, "Where to post it")->type_name("URL")->capture_default_str()->check(CheckUrl);
  auto* secret = send->add_option("--secret-file", flags->secret_file, "Sign with the first secret in this file")
                     ->type_name("FILE")
                     ->check(CheckNotEmpty);
  send->add_option("--basic-file", flags->basic_file, "Authenticate with the first user:password in this file")
      ->type_name("FILE")
      ->check(CheckNotEmpty);
  send->add_flag("--break-signature", flags->break_signature, "Spoil the signature, to see the 401")->needs(secret);
  auto* every =
      send->add_option("--every", flags->every,
                       "Go on, with a fresh one so often, one line each; to see, say, what an upgrade refuses")
          ->type_name("DURATION")
          ->check(CheckDuration);
  send->add_option("--count", flags->count, "End after so many; 0 = no such end")
      ->type_name("N")
      ->check(CheckCount)
      ->needs(every);
  send->footer(
      "While nothing listens at the URL, send tries again until --timeout is over: the server may be starting. With\n"
      "--every each webhook is posted once.\n\n"
      "Example:\n"
      "  refundctl send --sample=pass --unique --secret-file=webhook.secret\n"
      "  refundctl send body.json --secret-file=webhook.secret --url=https://relay.example/webhooks/refund "
      "--ca_file=ca.pem");
  send->callback([flags, &global, run] {
    if (flags->file.empty() == flags->sample.empty()) {
      throw CLI::ValidationError("send", "say what to send: a FILE (- is stdin) or --sample=NAME");
    }
    if (flags->secret_file.empty() && flags->basic_file.empty()) {
      throw CLI::ValidationError("send",
                                 "give --secret-file or --basic-file: the server refuses webhooks without them");
    }
    if (!flags->every.empty() && !flags->unique) {
      throw CLI::ValidationError("send",
                                 "--every needs --sample=NAME and --unique: the same webhook again is a duplicate");
    }
    *run = [flags, &global] { return flags->every.empty() ? RunSend(*flags, global) : RunSendEvery(*flags, global); };
  });
}

}  // namespace refund_relay
