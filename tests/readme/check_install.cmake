# Installs the build into a fresh folder, moves it, and builds programs against what is there: find_package (shared and
# static) and pkg-config. Then packs it (cpack) and says how large libraries and packages are.
#   cmake -DBUILD=build folder -DSOURCE=consumer/ -DWORK=scratch -DCC=... -DCXX=... -DGENERATOR=... -DPYTHON=...
#     -P check_install.cmake
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(status)
    list(JOIN ARGN " " line)
    message(FATAL_ERROR "${line}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first)
file(RENAME ${WORK}/first ${WORK}/prefix)  # an installed tree may be moved
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${WORK}/prefix
  -DCMAKE_C_COMPILER=${CC}
    -DCMAKE_CXX_COMPILER=${CXX})
run(${CMAKE_COMMAND} --build ${WORK}/build)
foreach(program with_shared with_static)
  run(${WORK}/build/${program})
  message(STATUS "${program}: ${output}")
endforeach()

find_program(PKG_CONFIG pkg-config)
if(PKG_CONFIG)
  file(GLOB_RECURSE pc ${WORK}/prefix/*/puna.pc)
  get_filename_component(pc_dir ${pc} DIRECTORY)
  run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pc_dir} ${PKG_CONFIG} --cflags --libs puna)
  separate_arguments(flags UNIX_COMMAND "${output}")
  run(${CC} -std=c99 ${SOURCE}/version.c -o ${WORK}/with_pkg_config ${flags})
  get_filename_component(lib_dir ${pc_dir} DIRECTORY)
  run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${lib_dir} ${WORK}/with_pkg_config)
  message(STATUS "with_pkg_config: ${output}")
  file(RELATIVE_PATH pc_below ${WORK}/prefix ${pc_dir})
  run(${PYTHON} -B ${CMAKE_CURRENT_LIST_DIR}/run_hello.py --root ${CMAKE_CURRENT_LIST_DIR}/../.. --prefix ${WORK}/prefix
    --cc ${CC} --pkgconfig ${pc_below})
  message(STATUS "${output}")
endif()

find_program(STRIP strip)
file(GLOB libraries ${WORK}/prefix/lib*/lib*.so.*.*.* ${WORK}/prefix/lib*/*/lib*.so.*.*.*)
foreach(library IN LISTS libraries)
  get_filename_component(file ${library} NAME)
  run(${STRIP} -o ${WORK}/${file} ${library})
  file(SIZE ${WORK}/${file} bytes)
  message(STATUS "${file}, stripped: ${bytes} bytes")
endforeach()
if(NOT libraries)
  message(FATAL_ERROR "no shared library under ${WORK}/prefix")
endif()

run(${CMAKE_COMMAND} -E chdir ${BUILD} cpack -B ${WORK}/packages)
file(GLOB packages ${WORK}/packages/*puna*)
foreach(package IN LISTS packages)
  get_filename_component(file ${package} NAME)
  file(SIZE ${package} bytes)
  message(STATUS "${file}: ${bytes} bytes")
endforeach()
if(NOT packages)
  message(FATAL_ERROR "cpack made no package in ${WORK}/packages")
endif()
