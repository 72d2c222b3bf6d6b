# What `./dev release` hands out for other distributions: the objects of the ordinary build, linked once more so that
# they need glibc and libgcc_s alone. The command has inside what it reads pictures, databases and .gz files with, too;
# the libraries are the wheel's. Not for C++ hosts: whose callbacks throw, their own C++ runtime would never hear that
# the exception was caught. Built by name only, into build/release/portable; cmake/release.py gives them their names.
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR CMAKE_CROSSCOMPILING OR PUNA_SANITIZE OR NOT TARGET puna_cli OR NOT TARGET
  puna_sqlite OR NOT TARGET puna_recsys)
  return()
endif()
foreach(library png16 jpeg webpdemux webp sqlite3 z yaml pcre2-8)
  find_library(PUNA_STATIC_${library} lib${library}.a)
  if(NOT PUNA_STATIC_${library})
    return()
  endif()
endforeach()

add_library(puna_portable SHARED EXCLUDE_FROM_ALL $<TARGET_OBJECTS:puna_capi>)
add_dependencies(puna_portable puna_exports)
target_link_libraries(puna_portable PRIVATE puna_recsys $<TARGET_NAME_IF_EXISTS:puna_ads>
  $<TARGET_NAME_IF_EXISTS:puna_label> $<TARGET_NAME_IF_EXISTS:puna_eval> puna_train puna_runtime)
target_link_options(puna_portable PRIVATE $<TARGET_PROPERTY:puna,LINK_OPTIONS>)

add_library(puna_decode_portable SHARED EXCLUDE_FROM_ALL $<TARGET_OBJECTS:puna_decode>)
target_link_libraries(puna_decode_portable PRIVATE puna_decoders)
target_link_options(puna_decode_portable PRIVATE $<TARGET_PROPERTY:puna_decode,LINK_OPTIONS>)

add_executable(puna_cli_portable EXCLUDE_FROM_ALL $<TARGET_OBJECTS:puna_cli>)
add_dependencies(puna_cli_portable puna_server puna_sqlite puna_decoders)
target_link_libraries(puna_cli_portable PRIVATE $<TARGET_NAME_IF_EXISTS:puna_studio> $<TARGET_NAME_IF_EXISTS:puna_desk>
  $<TARGET_FILE:puna_server> puna_http puna_feed
  $<TARGET_NAME_IF_EXISTS:puna_hnsw>
  $<TARGET_FILE:puna_sqlite>
  $<TARGET_FILE:puna_decoders> $<TARGET_NAME_IF_EXISTS:puna_ads> $<TARGET_NAME_IF_EXISTS:puna_label>
  $<TARGET_NAME_IF_EXISTS:puna_eval> puna_recsys puna_train puna_runtime ${PUNA_STATIC_png16} ${PUNA_STATIC_jpeg}
  ${PUNA_STATIC_webpdemux}
  ${PUNA_STATIC_webp} ${PUNA_STATIC_sqlite3} ${PUNA_STATIC_z}
  ${PUNA_STATIC_yaml} ${PUNA_STATIC_pcre2-8} m ${CMAKE_DL_LIBS})

foreach(target puna_portable puna_decode_portable puna_cli_portable)
  # What nobody calls of it needs a newer glibc.
  target_link_options(${target} PRIVATE -static-libstdc++ -Wl,--gc-sections)
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX SKIP_BUILD_RPATH ON NO_SONAME ON
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/portable RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/portable)
endforeach()
target_link_options(puna_portable PRIVATE -Wl,-soname,libpuna.so.${PROJECT_VERSION_MAJOR})
target_link_options(puna_decode_portable PRIVATE -Wl,-soname,libpuna_decode.so.${PROJECT_VERSION_MAJOR})
add_custom_target(portable DEPENDS puna_portable puna_decode_portable puna_cli_portable)
