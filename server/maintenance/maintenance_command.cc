#include "server/maintenance/maintenance_command.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/log/open_storage.h"
#include "server/maintenance/backup.h"
#include "server/maintenance/log_check.h"

namespace refund_relay {
namespace {

constexpr char kVerifyHelp[] =
    "refund-relay verify --data_dir=FOLDER    checks the log in a data folder\n"
    "refund-relay verify --file=FILE          checks a backup\n\n"
    "Reads the whole log: its pages, every event's checksum and place, ids, the look-up by refund, committed "
    "positions\n"
    "and the quarantine. Changes nothing and does not disturb a server that runs on it. --data_dir can also be set as\n"
    "REFUND_RELAY_DATA_DIR.\n\n"
    "Exit codes: 0 sound, 1 damaged, 2 wrong arguments or no log there, 3 it could not be read.\n";

constexpr char kBackupHelp[] =
    "refund-relay backup --data_dir=FOLDER --to=FILE    copies the log to one file, beside a running server\n\n"
    "FILE must not exist. It appears under its name once it is checked as verify does and synced. To restore, stop "
    "the\n"
    "server, put the file as events.db into an empty data folder, readable by the server's user alone, and start: the\n"
    "log gets a new log_id. --data_dir can also be set as REFUND_RELAY_DATA_DIR.\n\n"
    "Exit codes: 0 taken, 1 the log is damaged, 2 wrong arguments or no log there, 3 it could not be taken.\n";

int Refuse(const std::string& what, int exit_code) {
  std::fputs(absl::StrCat("refund-relay: ", what, "\n").c_str(), stderr);
  return exit_code;
}

// The arguments after the command, as `--name=value` or `--name value`. An error names the one that is wrong.
absl::StatusOr<std::map<std::string, std::string>> ReadArguments(int argc, char** argv,
                                                                 const std::vector<std::string>& known) {
  std::map<std::string, std::string> values;
  for (int i = 2; i < argc; ++i) {
    std::string_view text = argv[i];
    const size_t equals = text.find('=');
    std::string_view name = text.substr(0, equals);
    name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
    if (text.substr(0, 1) != "-" || std::find(known.begin(), known.end(), name) == known.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(std::string(text.substr(0, equals)), ": there is no such argument"));
    }
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = text.substr(equals + 1);
    } else if (++i < argc) {
      value = argv[i];
    }
    if (value.empty())
      return absl::InvalidArgumentError(absl::StrCat("--", std::string(name), ": the value is missing"));
    values[std::string(name)] = value;
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet
  if (const char* data_dir = std::getenv("REFUND_RELAY_DATA_DIR"); data_dir != nullptr && *data_dir != '\0') {
    if (values.count("file") == 0) values.emplace("data_dir", data_dir);
  }
  return values;
}

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return kExitUsage;
    case absl::StatusCode::kDataLoss:
      return kExitDamaged;
    default:
      return kExitNotPossible;
  }
}

int Verify(int argc, char** argv) {
  const auto arguments = ReadArguments(argc, argv, {"data_dir", "file"});
  if (!arguments.ok()) return Refuse(std::string(arguments.status().message()), kExitUsage);
  if (arguments->size() != 1) {
    return Refuse("verify: name the log, by --data_dir=FOLDER or --file=FILE", kExitUsage);
  }
  const auto& [name, value] = *arguments->begin();
  const std::string path = name == "file" ? value : LogDatabasePath(value);
  const absl::StatusOr<LogReport> report = CheckLog(path, [] { return false; });
  if (!report.ok()) {
    return Refuse(absl::StrCat("verify: ", report.status().message()), ExitCodeOf(report.status()));
  }
  std::fputs(absl::StrCat(path, ": ", report->Text()).c_str(), stdout);
  return report->sound() ? kExitSound : kExitDamaged;
}

int Backup(int argc, char** argv) {
  const auto arguments = ReadArguments(argc, argv, {"data_dir", "to"});
  if (!arguments.ok()) return Refuse(std::string(arguments.status().message()), kExitUsage);
  if (arguments->size() != 2) {
    return Refuse("backup: name the log by --data_dir=FOLDER and the file to write by --to=FILE", kExitUsage);
  }
  const std::string& to = arguments->at("to");
  const absl::StatusOr<BackupReport> report =
      MakeBackup(LogDatabasePath(arguments->at("data_dir")), to, [] { return false; });
  if (!report.ok()) {
    return Refuse(absl::StrCat("backup: ", report.status().message()), ExitCodeOf(report.status()));
  }
  std::fputs(absl::StrCat(to, ": ", report->bytes, " bytes, ", report->check.Text()).c_str(), stdout);
  return kExitSound;
}

}  // namespace

std::optional<int> RunMaintenanceCommand(int argc, char** argv) {
  if (argc < 2) return std::nullopt;
  const std::string_view command = argv[1];
  if (command != "verify" && command != "backup") return std::nullopt;
  for (int i = 2; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--help" || std::string_view(argv[i]) == "-h") {
      std::fputs(command == "verify" ? kVerifyHelp : kBackupHelp, stdout);
      return kExitSound;
    }
  }
  return command == "verify" ? Verify(argc, argv) : Backup(argc, argv);
}

}  // namespace refund_relay
