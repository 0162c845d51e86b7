// Tells on stderr what happens beside the events: streams, positions to resume from, errors.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_NOTICE_PRINTER_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_NOTICE_PRINTER_H_

#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "client/refundctl/advice.h"
#include "client/refundctl/output_format.h"
#include "refund_relay/rpc_error.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// As text lines that start with `refundctl: `, as JSON one object a line with `kind`. Not thread-safe.
class NoticePrinter {
 public:
  // `err` is not owned. `command` decides which flags advice names.
  NoticePrinter(std::ostream& err, OutputFormat format, Command command = Command::kOther)
      : err_(err), format_(format), command_(command) {}

  // `kind` is a word for programs, `text` a sentence for people.
  void Notice(std::string_view kind, std::string_view text,
              const std::optional<refundrelay::v1::Position>& position = std::nullopt);

  // The code, the reason with its metadata, the server's words, wrong fields by the flags that set them (the words only
  // where they say more than the fields), and what to do.
  void Error(const RpcError& error);

  // Where a user goes on.
  void ResumePosition(const refundrelay::v1::Position& position);

 private:
  std::ostream& err_;
  const OutputFormat format_;
  const Command command_;
};

// The output could not be written, for the reason `why`. Pure.
RpcError OutputFailed(std::string why);

// Prints `error` and returns the exit code that it stands for.
int ReportError(NoticePrinter& notices, const RpcError& error);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_NOTICE_PRINTER_H_
