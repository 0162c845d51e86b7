// What a person does about an error: the contract's tables in words that name refundctl's own flags.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_ADVICE_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_ADVICE_H_

#include <string>

#include "refund_relay/rpc_error.h"

namespace refund_relay {

// The commands whose own flags are the way out of an error.
enum class Command { kTail, kList, kPositionsCommit, kOther };

// Advice on what to do about `error`, which `command` met; empty where there is none to give. Pure.
std::string WhatToDo(const RpcError& error, Command command);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_ADVICE_H_
