# Every library comes from Debian; docs/adr/0002-dependencies.md says why each one is here.
set(CMAKE_THREAD_PREFER_PTHREAD ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(absl REQUIRED CONFIG)
find_package(Protobuf REQUIRED)          # module mode: Debian ships no CMake config for it
find_package(gRPC REQUIRED CONFIG)
find_package(OpenSSL 3.0 REQUIRED)
if(POLICY CMP0167)  # from CMake 3.30 on Boost's own configuration is asked, not CMake's module
  cmake_policy(SET CMP0167 NEW)
endif()
find_package(Boost 1.81 REQUIRED)        # headers only: Beast and Asio
find_package(SQLite3 3.40 REQUIRED)
find_package(CLI11 REQUIRED CONFIG)
find_package(prometheus-cpp REQUIRED CONFIG)  # core only; its exposer is not used
if(REFUND_RELAY_TESTS)
  find_package(GTest REQUIRED)
endif()
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
find_path(RAPIDJSON_INCLUDE_DIR rapidjson/reader.h REQUIRED)
add_library(rapidjson INTERFACE)
target_include_directories(rapidjson SYSTEM INTERFACE ${RAPIDJSON_INCLUDE_DIR})
target_compile_definitions(rapidjson INTERFACE RAPIDJSON_HAS_STDSTRING=1)
if(REFUND_RELAY_SANITIZE)
  target_compile_options(rapidjson INTERFACE -fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/cmake/sanitizer-ignorelist.txt)
endif()
