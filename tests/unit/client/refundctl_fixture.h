// Runs the refundctl binary against fake services.
#ifndef REFUND_RELAY_TESTS_UNIT_CLIENT_REFUNDCTL_FIXTURE_H_
#define REFUND_RELAY_TESTS_UNIT_CLIENT_REFUNDCTL_FIXTURE_H_

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/client/child_process.h"
#include "tests/unit/client/fake_admin_service.h"
#include "tests/unit/client/fake_event_service.h"

namespace refund_relay {

using Arguments = std::vector<std::string>;

// `text` with each run of white space as one space: help is broken into lines.
inline std::string Unwrapped(const std::string& text) {
  std::istringstream words(text);
  std::string joined;
  for (std::string word; words >> word;) joined += (joined.empty() ? "" : " ") + word;
  return joined;
}

class RefundctlTest : public testing::Test {
 protected:
  // Runs to the end; `out_` and `err_` hold the output then.
  int Run(const Arguments& arguments) {
    ChildProcess refundctl(REFUNDCTL, arguments, Environment());
    const int exit_code = refundctl.Wait();
    out_ = refundctl.out();
    err_ = refundctl.err();
    return exit_code;
  }
  Arguments Environment() const { return {"REFUND_RELAY_ADDRESS=" + service_.address()}; }

  FakeAdminService admin_;
  FakeEventService service_{"127.0.0.1:0", &admin_};
  std::string out_;
  std::string err_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_CLIENT_REFUNDCTL_FIXTURE_H_
