# puna::cxx: the C++ API of include/puna, one static library of all layers. Unlike the C API it carries no promise from
# one version to the next.
#   cmake --install BUILD --prefix PREFIX --component cxx         and then find_package(puna COMPONENTS cxx)
add_library(puna_cxx STATIC $<TARGET_OBJECTS:puna_isa> ${PUNA_LAYER_OBJECTS})
target_include_directories(puna_cxx INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(puna_cxx INTERFACE cxx_std_20)
target_link_libraries(puna_cxx INTERFACE Threads::Threads)
set_target_properties(puna_cxx PROPERTIES LINKER_LANGUAGE CXX EXPORT_NAME cxx)
add_library(puna::cxx ALIAS puna_cxx)

# Headers of what this build has. What decodes pictures is in libpuna_decode alone.
set(without image/decode.h)
if(NOT TARGET puna_train)
  list(APPEND without train/)
endif()
if(NOT TARGET puna_recsys)
  list(APPEND without recsys/)
endif()
if(NOT TARGET puna_eval)
  list(APPEND without eval/ label/)
endif()
if(NOT TARGET puna_ads)
  list(APPEND without ads/)
endif()
list(JOIN without "|" without)
set(part COMPONENT cxx EXCLUDE_FROM_ALL)  # not in packages, nor where nobody asked for it
install(TARGETS puna_cxx EXPORT puna-cxx ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} ${part})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/puna DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} ${part}
  FILES_MATCHING PATTERN *.h REGEX "include/puna/(${without})" EXCLUDE)
install(EXPORT puna-cxx NAMESPACE puna:: DESTINATION ${package_dir} FILE puna-cxx-targets.cmake ${part})
install(FILES ${PROJECT_BINARY_DIR}/puna-config.cmake ${PROJECT_BINARY_DIR}/puna-config-version.cmake DESTINATION
  ${package_dir} ${part})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} ${part})
