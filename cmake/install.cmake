# `cmake --install`: the C library, shared and static, its header, a CMake package (find_package(puna) -> puna::puna, puna::static) and a
# pkg-config file. The C++ headers are for add_subdirectory() users and carry no promise, so they are not installed.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/puna)

set_target_properties(puna PROPERTIES EXPORT_NAME puna)
set_target_properties(puna_static PROPERTIES EXPORT_NAME static EXCLUDE_FROM_ALL OFF)
set_property(TARGET puna puna_static PROPERTY INTERFACE_INCLUDE_DIRECTORIES
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/capi/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

install(TARGETS puna puna_static EXPORT puna
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${PROJECT_SOURCE_DIR}/capi/include/puna.h ${PROJECT_SOURCE_DIR}/capi/include/puna_chat.h ${PROJECT_SOURCE_DIR}/capi/include/puna_grammar.h ${PROJECT_SOURCE_DIR}/capi/include/puna_train.h ${PROJECT_SOURCE_DIR}/capi/include/puna_vision.h ${PROJECT_SOURCE_DIR}/capi/include/puna_recsys.h
  ${PROJECT_SOURCE_DIR}/capi/include/puna_gemm.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT puna NAMESPACE puna:: DESTINATION ${package_dir} FILE puna-targets.cmake)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/puna-config.cmake.in ${PROJECT_BINARY_DIR}/puna-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
# Additive within a major version, 0.x included: a program built against 0.1 runs with 0.9 (capi/include/puna.h, "Since").
write_basic_package_version_file(${PROJECT_BINARY_DIR}/puna-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/puna-config.cmake ${PROJECT_BINARY_DIR}/puna-config-version.cmake DESTINATION ${package_dir})

# The .pc file finds the prefix from its own place, so that an installed tree may be moved.
file(RELATIVE_PATH PUNA_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/puna.pc.in ${PROJECT_BINARY_DIR}/puna.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/puna.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# `cpack` in the build folder: a .tar.gz, and a .deb where dpkg is. What is packed is what is installed.
set(CPACK_PACKAGE_NAME puna)
set(CPACK_PACKAGE_VENDOR "The Puna authors")
set(CPACK_PACKAGE_CONTACT "The Puna authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR TGZ)
find_program(PUNA_DPKG dpkg)
if(PUNA_DPKG)
  list(APPEND CPACK_GENERATOR DEB)
endif()
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
if(PROJECT_IS_TOP_LEVEL)
  include(CPack)
endif()
