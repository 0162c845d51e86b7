// Shows ThreadSanitizer what Debian's Abseil, which is not instrumented, synchronises. Linked into the tsan preset's
// programs only: these definitions stand before the library's, tell the order, and call on.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
}

namespace {

#define REFUND_RELAY_TEXT_(x) #x
#define REFUND_RELAY_TEXT(x) REFUND_RELAY_TEXT_(x)

// The library's own function. `name` is its mangled name, `@` standing for the namespaces `absl::<version>`.
template <typename Function>
Function Real(std::string name) {
  const std::string version = REFUND_RELAY_TEXT(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  name.replace(name.find('@'), 1, "4absl" + std::to_string(version.size()) + version);
  void* const found = dlsym(RTLD_NEXT, name.c_str());
  if (found == nullptr) {
    std::fprintf(stderr, "absl_mutex_for_tsan: Abseil has no %s\n", name.c_str());
    std::abort();
  }
  return reinterpret_cast<Function>(found);
}

// While Abseil works it evaluates conditions, its own and those of other waiters, under the real lock but outside of
// what was told here: their reads are in order, and not to be looked at.
class Unseen {
 public:
  Unseen() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~Unseen() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static const auto real = Real<void (*)(Mutex*)>("_ZN@5Mutex4LockEv");
  {
    Unseen unseen;
    real(this);
  }
  __tsan_acquire(this);
}

void Mutex::Unlock() {
  static const auto real = Real<void (*)(Mutex*)>("_ZN@5Mutex6UnlockEv");
  __tsan_release(this);
  Unseen unseen;
  real(this);
}

void Mutex::Await(const Condition& condition) {
  static const auto real = Real<void (*)(Mutex*, const Condition&)>("_ZN@5Mutex5AwaitERKNS0_9ConditionE");
  __tsan_release(this);
  {
    Unseen unseen;
    real(this, condition);
  }
  __tsan_acquire(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, absl::Duration timeout) {
  static const auto real = Real<bool (*)(Mutex*, const Condition&, absl::Duration)>(
      "_ZN@5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  __tsan_release(this);
  bool result = false;
  {
    Unseen unseen;
    result = real(this, condition, timeout);
  }
  __tsan_acquire(this);
  return result;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, absl::Time deadline) {
  static const auto real =
      Real<bool (*)(Mutex*, const Condition&, absl::Time)>("_ZN@5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  __tsan_release(this);
  bool result = false;
  {
    Unseen unseen;
    result = real(this, condition, deadline);
  }
  __tsan_acquire(this);
  return result;
}

void Notification::Notify() {
  static const auto real = Real<void (*)(Notification*)>("_ZN@12Notification6NotifyEv");
  __tsan_release(this);
  real(this);
}

void Notification::WaitForNotification() const {
  static const auto real = Real<void (*)(const Notification*)>("_ZNK@12Notification19WaitForNotificationEv");
  real(this);
  __tsan_acquire(const_cast<Notification*>(this));
}

bool Notification::WaitForNotificationWithTimeout(absl::Duration timeout) const {
  static const auto real = Real<bool (*)(const Notification*, absl::Duration)>(
      "_ZNK@12Notification30WaitForNotificationWithTimeoutENS0_8DurationE");
  const bool notified = real(this, timeout);
  __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(absl::Time deadline) const {
  static const auto real = Real<bool (*)(const Notification*, absl::Time)>(
      "_ZNK@12Notification31WaitForNotificationWithDeadlineENS0_4TimeE");
  const bool notified = real(this, deadline);
  __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

ABSL_NAMESPACE_END
}  // namespace absl
