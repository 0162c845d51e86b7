# What ships is hardened: position-independent, no writable code or relocations, checked copies, stacks and containers.
# Generated code is compiled so as well. tests/image/check_image.py looks for the marks in the binaries of the image;
# docs/adr/0014-image.md says what it costs.
include(CheckPIESupported)
check_pie_supported(OUTPUT_VARIABLE pie_output LANGUAGES CXX)
if(NOT CMAKE_CXX_LINK_PIE_SUPPORTED)
  message(FATAL_ERROR "the compiler makes no position-independent executables: ${pie_output}")
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_compile_definitions(_FORTIFY_SOURCE=3 _GLIBCXX_ASSERTIONS)
add_compile_options(-fstack-protector-strong -fstack-clash-protection)
add_link_options(LINKER:-z,relro,-z,now,-z,noexecstack,--build-id=sha1)
