// Tells ThreadSanitizer about absl::Mutex, which Debian's Abseil was built without: linked into every program of the
// tsan preset, and nowhere else.
//
// absl::Mutex does not stand on pthread, so an uninstrumented one is invisible and everything that it guards looks like
// a race. The linker's --wrap (cmake/tsan_absl.cmake) turns our calls of the functions below into calls of these
// wrappers, which announce each lock and unlock and call the real function. What Abseil itself does in between (it
// evaluates the conditions of other waiters, for instance) is not watched. tests/sanitizers/planted_race.cc proves that
// races are still found, also beside a mutex.
#include <sanitizer/tsan_interface.h>

#include <cstdint>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

// Mangled names, cut where Abseil's inline namespace stands, which differs between the Debian releases. The real
// function is weak because each release has only some of them.
#define REFUND_RELAY_METHOD(name) "_ZN" ABSL_MANGLED_NAMESPACE name
#define REFUND_RELAY_CONST_METHOD(name) "_ZNK" ABSL_MANGLED_NAMESPACE name
#define REFUND_RELAY_REAL(symbol) asm("__real_" symbol) __attribute__((weak))
#define REFUND_RELAY_WRAP(symbol) asm("__wrap_" symbol) __attribute__((used))

namespace {

using absl::Condition;
using absl::Duration;
using absl::Mutex;
using absl::Notification;
using absl::Time;
using KernelTimeout = uint64_t;  // absl::synchronization_internal::KernelTimeout is a class around one

// Announces an exclusive lock, whichever function it comes from.
template <typename Lock>
auto Locking(Mutex* mutex, const Lock& lock) {
  __tsan_mutex_pre_lock(mutex, 0);
  const auto result = lock();
  __tsan_mutex_post_lock(mutex, 0, 0);
  return result;
}

// Announces that a wait gives the mutex up and takes it again.
template <typename Wait>
bool Waiting(Mutex* mutex, const Wait& wait) {
  __tsan_mutex_pre_unlock(mutex, 0);
  const bool result = wait();
  __tsan_mutex_post_unlock(mutex, 0);
  __tsan_mutex_pre_lock(mutex, 0);
  __tsan_mutex_post_lock(mutex, 0, 0);
  return result;
}

}  // namespace

// Both releases.
void RealLock(Mutex*) REFUND_RELAY_REAL(REFUND_RELAY_METHOD("5Mutex4LockEv"));
void WrapLock(Mutex*) REFUND_RELAY_WRAP(REFUND_RELAY_METHOD("5Mutex4LockEv"));
void WrapLock(Mutex* mutex) {
  Locking(mutex, [&] {
    RealLock(mutex);
    return true;
  });
}

void RealUnlock(Mutex*) REFUND_RELAY_REAL(REFUND_RELAY_METHOD("5Mutex6UnlockEv"));
void WrapUnlock(Mutex*) REFUND_RELAY_WRAP(REFUND_RELAY_METHOD("5Mutex6UnlockEv"));
void WrapUnlock(Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, 0);
  RealUnlock(mutex);
  __tsan_mutex_post_unlock(mutex, 0);
}

void RealDestroy(Mutex*) REFUND_RELAY_REAL(REFUND_RELAY_METHOD("5MutexD1Ev"));
void WrapDestroy(Mutex*) REFUND_RELAY_WRAP(REFUND_RELAY_METHOD("5MutexD1Ev"));
void WrapDestroy(Mutex* mutex) {
  __tsan_mutex_destroy(mutex, 0);
  RealDestroy(mutex);
}

void RealNotify(Notification*) REFUND_RELAY_REAL(REFUND_RELAY_METHOD("12Notification6NotifyEv"));
void WrapNotify(Notification*) REFUND_RELAY_WRAP(REFUND_RELAY_METHOD("12Notification6NotifyEv"));
void WrapNotify(Notification* notification) {
  __tsan_release(notification);
  RealNotify(notification);
}

void RealWait(const Notification*)
    REFUND_RELAY_REAL(REFUND_RELAY_CONST_METHOD("12Notification19WaitForNotificationEv"));
void WrapWait(const Notification*)
    REFUND_RELAY_WRAP(REFUND_RELAY_CONST_METHOD("12Notification19WaitForNotificationEv"));
void WrapWait(const Notification* notification) {
  RealWait(notification);
  __tsan_acquire(const_cast<Notification*>(notification));
}

bool RealWaitFor(const Notification*, Duration)
    REFUND_RELAY_REAL(REFUND_RELAY_CONST_METHOD("12Notification30WaitForNotificationWithTimeoutENS0_8DurationE"));
bool WrapWaitFor(const Notification*, Duration)
    REFUND_RELAY_WRAP(REFUND_RELAY_CONST_METHOD("12Notification30WaitForNotificationWithTimeoutENS0_8DurationE"));
bool WrapWaitFor(const Notification* notification, Duration timeout) {
  const bool notified = RealWaitFor(notification, timeout);
  if (notified) __tsan_acquire(const_cast<Notification*>(notification));
  return notified;
}

// Debian 12: Abseil 2022-06.
void RealAwait(Mutex*, const Condition&) REFUND_RELAY_REAL(REFUND_RELAY_METHOD("5Mutex5AwaitERKNS0_9ConditionE"));
void WrapAwait(Mutex*, const Condition&) REFUND_RELAY_WRAP(REFUND_RELAY_METHOD("5Mutex5AwaitERKNS0_9ConditionE"));
void WrapAwait(Mutex* mutex, const Condition& condition) {
  Waiting(mutex, [&] {
    RealAwait(mutex, condition);
    return true;
  });
}

bool RealAwaitFor(Mutex*, const Condition&, Duration)
    REFUND_RELAY_REAL(REFUND_RELAY_METHOD("5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE"));
bool WrapAwaitFor(Mutex*, const Condition&, Duration)
    REFUND_RELAY_WRAP(REFUND_RELAY_METHOD("5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE"));
bool WrapAwaitFor(Mutex* mutex, const Condition& condition, Duration timeout) {
  return Waiting(mutex, [&] { return RealAwaitFor(mutex, condition, timeout); });
}

bool RealAwaitUntil(Mutex*, const Condition&, Time)
    REFUND_RELAY_REAL(REFUND_RELAY_METHOD("5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE"));
bool WrapAwaitUntil(Mutex*, const Condition&, Time)
    REFUND_RELAY_WRAP(REFUND_RELAY_METHOD("5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE"));
bool WrapAwaitUntil(Mutex* mutex, const Condition& condition, Time deadline) {
  return Waiting(mutex, [&] { return RealAwaitUntil(mutex, condition, deadline); });
}

void RealLockWhen(Mutex*, const Condition&) REFUND_RELAY_REAL(REFUND_RELAY_METHOD("5Mutex8LockWhenERKNS0_9ConditionE"));
void WrapLockWhen(Mutex*, const Condition&) REFUND_RELAY_WRAP(REFUND_RELAY_METHOD("5Mutex8LockWhenERKNS0_9ConditionE"));
void WrapLockWhen(Mutex* mutex, const Condition& condition) {
  Locking(mutex, [&] {
    RealLockWhen(mutex, condition);
    return true;
  });
}

// Debian 13: Abseil 2024-07, where the functions above are inline calls of these.
#define REFUND_RELAY_KERNEL_TIMEOUT "NS0_24synchronization_internal13KernelTimeoutE"
bool RealAwaitCommon(Mutex*, const Condition&, KernelTimeout)
    REFUND_RELAY_REAL(REFUND_RELAY_METHOD("5Mutex11AwaitCommonERKNS0_9ConditionE" REFUND_RELAY_KERNEL_TIMEOUT));
bool WrapAwaitCommon(Mutex*, const Condition&, KernelTimeout)
    REFUND_RELAY_WRAP(REFUND_RELAY_METHOD("5Mutex11AwaitCommonERKNS0_9ConditionE" REFUND_RELAY_KERNEL_TIMEOUT));
bool WrapAwaitCommon(Mutex* mutex, const Condition& condition, KernelTimeout timeout) {
  return Waiting(mutex, [&] { return RealAwaitCommon(mutex, condition, timeout); });
}

bool RealLockWhenCommon(Mutex*, const Condition&, KernelTimeout, bool)
    REFUND_RELAY_REAL(REFUND_RELAY_METHOD("5Mutex14LockWhenCommonERKNS0_9ConditionE" REFUND_RELAY_KERNEL_TIMEOUT "b"));
bool WrapLockWhenCommon(Mutex*, const Condition&, KernelTimeout, bool)
    REFUND_RELAY_WRAP(REFUND_RELAY_METHOD("5Mutex14LockWhenCommonERKNS0_9ConditionE" REFUND_RELAY_KERNEL_TIMEOUT "b"));
bool WrapLockWhenCommon(Mutex* mutex, const Condition& condition, KernelTimeout timeout, bool write) {
  return Locking(mutex, [&] { return RealLockWhenCommon(mutex, condition, timeout, write); });
}
