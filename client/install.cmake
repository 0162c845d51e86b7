# What `cmake --install` gives to other projects: refund_relay::client, and refund_relay::proto below it, by
# find_package(refund_relay).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/refund_relay)

install(TARGETS refund_relay_client refund_relay_proto EXPORT refund_relay
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client)
set_target_properties(refund_relay_client PROPERTIES EXPORT_NAME client)
set_target_properties(refund_relay_proto PROPERTIES EXPORT_NAME proto)
install(EXPORT refund_relay NAMESPACE refund_relay:: FILE refund_relay-targets.cmake
  DESTINATION ${package_dir} COMPONENT client)
configure_package_config_file(${CMAKE_CURRENT_SOURCE_DIR}/refund_relay-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/refund_relay-config.cmake INSTALL_DESTINATION ${package_dir}
  PATH_VARS CMAKE_INSTALL_DATADIR)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/refund_relay-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/refund_relay-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/refund_relay-config-version.cmake DESTINATION ${package_dir} COMPONENT client)

install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/include/refund_relay DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT client)
install(DIRECTORY ${PROJECT_BINARY_DIR}/proto/gen/refundrelay DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT client
  FILES_MATCHING PATTERN *.h)
# For subscribers in other languages.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/proto/refundrelay DESTINATION ${CMAKE_INSTALL_DATADIR}/refund_relay/proto
  COMPONENT client FILES_MATCHING PATTERN *.proto)
