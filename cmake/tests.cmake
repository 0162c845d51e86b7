# refund_relay_test(NAME SOURCES... [LIBS ...]): one GoogleTest binary, each of its tests known to ctest.
include(GoogleTest)

function(refund_relay_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} refund_relay::compiler GTest::gmock GTest::gtest GTest::gtest_main)
  # Optimising what runs once costs more than it gives: test code compiles in half the time so.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_compile_definitions(${name} PRIVATE REFUND_RELAY_TESTDATA="${PROJECT_SOURCE_DIR}/tests/testdata")
  # PRE_TEST: ctest asks the binary for its tests when it runs, so that a build runs nothing.
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  foreach(source ${ARG_SOURCES})
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    set_property(GLOBAL APPEND PROPERTY REFUND_RELAY_TEST_SOURCES ${source})
  endforeach()
endfunction()

# Configure fails on a *_test.cc that no test builds: a forgotten test is worse than none.
function(refund_relay_check_tests_registered)
  get_property(registered GLOBAL PROPERTY REFUND_RELAY_TEST_SOURCES)
  file(GLOB_RECURSE found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*_test.cc)
  foreach(source ${found})
    if(NOT source IN_LIST registered)
      message(FATAL_ERROR "${source} is in no refund_relay_test(); register it in its folder's CMakeLists.txt")
    endif()
  endforeach()
endfunction()
