// The table of flags: name, meaning, accepted values and where each one goes in Config.
#ifndef REFUND_RELAY_SERVER_CONFIG_FLAGS_H_
#define REFUND_RELAY_SERVER_CONFIG_FLAGS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"

namespace refund_relay {

struct ConfigFlag {
  std::string name;
  std::string help;     // one or more lines
  std::string accepts;  // completes "give ..."
  bool is_bool = false;
  // False if `text` is not accepted; `config` is then unchanged.
  std::function<bool(const std::string& text, Config& config)> set;
  // The value as text, for the defaults in the help.
  std::function<std::string(const Config& config)> show;

  // `REFUND_RELAY_DATA_DIR` for `data_dir`.
  std::string VariableName() const;
};

// In the order of the help.
const std::vector<ConfigFlag>& ConfigFlags();

// The flag of that name; nullptr if there is none.
const ConfigFlag* FindConfigFlag(std::string_view name);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_CONFIG_FLAGS_H_
