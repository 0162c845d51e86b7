// refundctl policy check and hash-token: the server's access policy, without a server.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/printable.h"
#include "client/refundctl/command.h"
#include "client/refundctl/exit_code.h"
#include "client/refundctl/flag_checks.h"
#include "client/refundctl/json_line.h"
#include "client/refundctl/notice_printer.h"
#include "client/refundctl/webhook_credentials.h"
#include "server/access/bearer_token.h"
#include "server/access/policy_reader.h"
#include "server/access/policy_text.h"
#include "server/translate/sha256.h"

namespace refund_relay {
namespace {

struct PolicyFlags {
  std::string file;
  std::string subscriber;
  std::string token_file = "-";
};

int Fail(const GlobalOptions& global, const std::string& problem, int exit_code) {
  NoticePrinter(std::cerr, global.output).Notice("error", absl::StrCat("error: ", Printable(problem)));
  return exit_code;
}

int Print(const GlobalOptions& global, const std::string& text) {
  std::cout << text << std::flush;
  return std::cout.good() ? kExitOk : Fail(global, "the output could not be written", kExitLocal);
}

std::string Text(const absl::Status& status) { return std::string(status.message().data(), status.message().size()); }

std::string DescriptionOf(const AccessPolicy& policy, const SubscriberPolicy& subscriber, OutputFormat output) {
  const std::vector<std::string> sentences = DescribeSubscriber(policy, subscriber);
  if (output == OutputFormat::kText)
    return absl::StrCat(subscriber.name, "\n  ", absl::StrJoin(sentences, "\n  "), "\n");
  const auto quote = [](std::string* out, const std::string& sentence) { out->append(JsonString(sentence)); };
  return absl::StrCat(JsonLine("subscriber_policy")
                          .Add("subscriber_name", subscriber.name)
                          .AddJson("explained", absl::StrCat("[", absl::StrJoin(sentences, ",", quote), "]"))
                          .Build(),
                      "\n");
}

int RunCheck(const PolicyFlags& flags, const GlobalOptions& global) {
  const auto content = ReadWholeFile(flags.file);
  if (!content.ok()) return Fail(global, Text(content.status()), kExitLocal);
  const auto policy = ReadAccessPolicy(*content);
  if (!policy.ok()) return Fail(global, absl::StrCat(flags.file, ": ", Text(policy.status())), kExitRefused);
  std::string text;
  std::vector<std::string> names;
  for (const SubscriberPolicy& subscriber : policy->subscribers) {
    names.push_back(subscriber.name);
    if (!flags.subscriber.empty() && flags.subscriber != subscriber.name) continue;
    text += DescriptionOf(*policy, subscriber, global.output);
  }
  if (!flags.subscriber.empty() && text.empty()) {
    return Fail(global,
                absl::StrCat(flags.file, " has no subscriber ", flags.subscriber, "; it has ",
                             names.empty() ? "none" : absl::StrJoin(names, ", ")),
                kExitRefused);
  }
  if (names.empty() && global.output == OutputFormat::kText)
    text = "the policy has no subscribers: nobody may do anything\n";
  return Print(global, text);
}

int RunHashToken(const PolicyFlags& flags, const GlobalOptions& global) {
  const auto token = ReadFirstSecret(flags.token_file);
  if (!token.ok()) return Fail(global, Text(token.status()), kExitLocal);
  if (const absl::Status good = CheckToken(token->view()); !good.ok()) return Fail(global, Text(good), kExitRefused);
  const std::string hash = TokenHashText(Sha256({token->view()}));
  return Print(
      global,
      absl::StrCat(global.output == OutputFormat::kText ? hash : JsonLine("token_hash").Add("token_hash", hash).Build(),
                   "\n"));
}

}  // namespace

void AddPolicyCommands(CLI::App& app, const GlobalOptions& global, CommandRun* run) {
  auto flags = std::make_shared<PolicyFlags>();
  CLI::App* policy =
      app.add_subcommand("policy", "Check the server's access policy, and make the hashes in it; asks no server");
  policy->require_subcommand(1);
  policy->footer("Example:\n  refundctl policy check access-policy.json --subscriber=books");

  CLI::App* check =
      policy->add_subcommand("check", "Tell what is wrong in a policy file, or what it lets each name do");
  check->add_option("FILE", flags->file, "The file for --access_policy_file; - is stdin")
      ->required()
      ->check(CheckNotEmpty);
  check->add_option("--subscriber", flags->subscriber, "Only this name")->type_name("NAME")->check(CheckSubscriberName);
  check->footer("Example:\n  refundctl policy check access-policy.json --subscriber=books");
  check->callback([flags, &global, run] { *run = [flags, &global] { return RunCheck(*flags, global); }; });

  CLI::App* hash = policy->add_subcommand(
      "hash-token", "Print the hash of a bearer token for `token_hashes`; the token comes from stdin or a file only");
  hash->add_option("--token_file", flags->token_file, "The file with the token, alone in its first line; - is stdin")
      ->type_name("FILE")
      ->capture_default_str()
      ->check(CheckNotEmpty);
  hash->footer(
      "Example:\n  refundctl policy hash-token --token_file=books.token\n"
      "  openssl rand -base64 32 | tee books.token | refundctl policy hash-token");
  hash->callback([flags, &global, run] { *run = [flags, &global] { return RunHashToken(*flags, global); }; });
}

}  // namespace refund_relay
