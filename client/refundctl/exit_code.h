// What refundctl's exit codes mean; --help prints the same table.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_EXIT_CODE_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_EXIT_CODE_H_

namespace refund_relay {

inline constexpr int kExitOk = 0;
inline constexpr int kExitRefused = 1;       // The server answered an error, for the call or one id; a bad policy.
inline constexpr int kExitUsage = 2;         // The command line is wrong.
inline constexpr int kExitUnreachable = 3;   // No server answered in time.
inline constexpr int kExitLocal = 4;         // A file could not be read, or the output not written.
inline constexpr int kExitSignalBase = 128;  // Plus the signal's number: 130 after SIGINT.

inline constexpr char kExitCodesHelp[] =
    "Exit codes:\n"
    "  0    done; for send: the webhook was answered 2xx\n"
    "  1    the server answered an error; stderr names code, reason and what to do. quarantine: an id that stays or "
    "is\n"
    "       unknown. policy: the file, name or token is not good. check: what was tried is not as it must be\n"
    "  2    the command line is wrong\n"
    "  3    no server answered in time\n"
    "  4    a file could not be read, or the output could not be written\n"
    "  130  tail was interrupted (Ctrl-C; 143 after SIGTERM); stderr tells where to resume\n";

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_EXIT_CODE_H_
