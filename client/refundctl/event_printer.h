// Prints what was asked for: events, and other messages, on stdout.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_EVENT_PRINTER_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_EVENT_PRINTER_H_

#include <ostream>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "client/refundctl/json_line.h"
#include "client/refundctl/output_format.h"
#include "google/protobuf/message.h"
#include "refundrelay/v1/refund_event_service.pb.h"

namespace refund_relay {

// Flushes after each print, so that what it answered OK for has left the process. Not thread-safe.
class EventPrinter {
 public:
  // `out` is not owned.
  EventPrinter(std::ostream& out, OutputFormat format) : out_(out), format_(format) {}

  // One line: as text the columns of EventLine; as JSON the Delivery's proto JSON with `kind` "event" and, if `after`
  // is given, `position` (the text form that --after takes) before it.
  // - UNAVAILABLE: it could not be written, for example because the reader of the pipe is gone.
  absl::Status PrintEvent(const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position* after);

  // Every field of `message`, one a line as text; one line with `kind` as JSON. Errors as above.
  absl::Status PrintFields(std::string_view kind, const google::protobuf::Message& message,
                           Zeros zeros = Zeros::kOmitted);

  // One message: `line` as text; as JSON one line with `kind`, the text form of `position` as `position_text` if it is
  // given, and all fields, zeros too. Errors as above.
  absl::Status PrintMessage(std::string_view kind, const google::protobuf::Message& message, const std::string& line,
                            const refundrelay::v1::Position* position);

  OutputFormat format() const { return format_; }

 private:
  absl::Status Write(const std::string& text);

  std::ostream& out_;
  const OutputFormat format_;
};

// Sequence, stored_at, type (the event name where the type is unknown), refund id, amount with currency, client id and
// event id; free of personal data. Pure.
std::string EventLine(const refundrelay::v1::Delivery& delivery);

// `<path>  <value>` for each field that is set, in the order of field numbers; with zeros for the others as well. Pure.
std::string FieldLines(const google::protobuf::Message& message, Zeros zeros = Zeros::kOmitted);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_EVENT_PRINTER_H_
