# The tsan preset: links tests/sanitizers/absl_mutex_tsan.cc into every program of ours, and turns our calls of absl::Mutex and
# absl::Notification over to it. That file says why.
get_target_property(absl_include absl::base INTERFACE_INCLUDE_DIRECTORIES)
find_file(absl_options absl/base/options.h PATHS ${absl_include} REQUIRED)
file(STRINGS ${absl_options} inline_namespace REGEX "^#define ABSL_OPTION_INLINE_NAMESPACE_NAME ")
string(REGEX REPLACE ".* " "" inline_namespace "${inline_namespace}")
string(LENGTH "${inline_namespace}" length)
set(absl_mangled "4absl${length}${inline_namespace}")

add_library(refund_relay_tsan_absl STATIC ${PROJECT_SOURCE_DIR}/tests/sanitizers/absl_mutex_tsan.cc)
target_compile_definitions(refund_relay_tsan_absl PRIVATE ABSL_MANGLED_NAMESPACE="${absl_mangled}")
target_link_libraries(refund_relay_tsan_absl PUBLIC absl::synchronization absl::time)

set(kernel_timeout NS0_24synchronization_internal13KernelTimeoutE)
foreach(method 5Mutex4LockEv 5Mutex6UnlockEv 5MutexD1Ev 5Mutex5AwaitERKNS0_9ConditionE
    5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE 5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE
    5Mutex8LockWhenERKNS0_9ConditionE 5Mutex11AwaitCommonERKNS0_9ConditionE${kernel_timeout}
    5Mutex14LockWhenCommonERKNS0_9ConditionE${kernel_timeout}b 12Notification6NotifyEv)
  target_link_options(refund_relay_tsan_absl INTERFACE LINKER:--wrap=_ZN${absl_mangled}${method})
endforeach()
foreach(method 12Notification19WaitForNotificationEv 12Notification30WaitForNotificationWithTimeoutENS0_8DurationE)
  target_link_options(refund_relay_tsan_absl INTERFACE LINKER:--wrap=_ZNK${absl_mangled}${method})
endforeach()
# Pulls the archive's one member also into a program whose own code locks nothing: gRPC's calls are turned over there, too.
target_link_options(refund_relay_tsan_absl INTERFACE LINKER:--undefined=__wrap__ZN${absl_mangled}5Mutex4LockEv)
target_link_libraries(refund_relay_compiler INTERFACE refund_relay_tsan_absl)
