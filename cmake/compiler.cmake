# Warnings, hardening and sanitizers: one INTERFACE target that every target of ours links.
add_library(refund_relay_compiler INTERFACE)
add_library(refund_relay::compiler ALIAS refund_relay_compiler)
target_include_directories(refund_relay_compiler INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(refund_relay_compiler INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  $<$<BOOL:${REFUND_RELAY_WERROR}>:-Werror>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Wthread-safety-beta -Werror=thread-safety>
  # g++ 12 sees overlaps in `"x" + std::string` that are not there (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # Debian's libraries are built by g++, which mangles some templates (absl::Cord's constructor) as clang did up to 17.
  $<$<CXX_COMPILER_ID:Clang>:-fclang-abi-compat=17>)
target_compile_options(refund_relay_compiler INTERFACE -fstack-protector-strong -fno-omit-frame-pointer)

if(REFUND_RELAY_SANITIZE)
  # Not vptr: its runtime reads memory through a pipe, and takes every object for a broken one once a test has used up
  # all file descriptors.
  add_compile_options(-fsanitize=${REFUND_RELAY_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${REFUND_RELAY_SANITIZE})
elseif(CMAKE_BUILD_TYPE MATCHES "^(Release|RelWithDebInfo|MinSizeRel)$")
  include(cmake/hardening.cmake)
endif()
if(REFUND_RELAY_SANITIZE STREQUAL thread)
  include(cmake/tsan_absl.cmake)
endif()
