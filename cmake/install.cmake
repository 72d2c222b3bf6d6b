# `cmake --install`: the C library, shared and static, its header, a CMake package (find_package(puna) -> puna::puna,
# puna::static) and pkg-config files. The C++ API is a component of its own (cxx.cmake).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/puna)

set_target_properties(puna PROPERTIES EXPORT_NAME puna)
set_target_properties(puna_static PROPERTIES EXPORT_NAME static EXCLUDE_FROM_ALL OFF)
set_property(TARGET puna puna_static PROPERTY INTERFACE_INCLUDE_DIRECTORIES
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/capi/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# Components: libpuna at run time, what one compiles with, the command (apps/cli). Each is a Debian package:
# cmake/package.cmake.
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME devel)
install(TARGETS puna puna_static EXPORT puna
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT devel)
foreach(header puna puna_chat puna_grammar puna_train puna_vision puna_recsys puna_gemm puna_engine puna_ads
  puna_label puna_eval)
  install(FILES ${PROJECT_SOURCE_DIR}/capi/include/${header}.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT license)
install(EXPORT puna NAMESPACE puna:: DESTINATION ${package_dir} FILE puna-targets.cmake)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/puna-config.cmake.in ${PROJECT_BINARY_DIR}/puna-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
# Additive within a major version, 0.x included: a program built against 0.1 runs with 0.9 (capi/include/puna.h,
# "Since").
write_basic_package_version_file(${PROJECT_BINARY_DIR}/puna-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/puna-config.cmake ${PROJECT_BINARY_DIR}/puna-config-version.cmake
  DESTINATION ${package_dir})
include(${CMAKE_CURRENT_LIST_DIR}/cxx.cmake)

# The .pc file finds the prefix from its own place, so that an installed tree may be moved.
file(RELATIVE_PATH PUNA_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
foreach(name puna puna-static)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
