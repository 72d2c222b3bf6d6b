# Flags that every target of ours shares. -ffp-contract=off is part of the determinism contract (docs/architecture.md,
# section 5): an fma happens where the source says fma and nowhere else. LTO stays off: see the inline-merge trap
# (docs/architecture.md, section 4).
add_library(puna_flags INTERFACE)
target_compile_options(puna_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wno-unused-parameter -ffp-contract=off -fno-math-errno
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms on std::string (GCC bug 105651).
  target_compile_options(puna_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
# A helper that is never called: its calls went to one of the same name in another file of the unit. With the tests and
# without, so that `./dev test` need not compile once more what `./dev demo` has compiled.
if(PUNA_UNITY AND PROJECT_IS_TOP_LEVEL)
  target_compile_options(puna_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror=unused-function>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND PUNA_UNITY)  # it takes a .cpp file that another includes for a header
  target_compile_options(puna_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
endif()
if(MINGW)  # it checks formats by the rules of an old C library; the one that is linked knows %zu and %lld
  target_compile_options(puna_flags INTERFACE -Wno-format)
endif()
# int64_t is printed with %jd: long long and intmax_t, long, are two types of 64 bits there. On Linux they are the same
# type and formats are checked.
if(APPLE)
  target_compile_options(puna_flags INTERFACE -Wno-format)
endif()
if(PUNA_WERROR)
  target_compile_options(puna_flags INTERFACE -Werror)
endif()
# The compiler collects its garbage from half a gigabyte on, not from 128 MB: a twentieth of its time.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(puna_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:--param=ggc-min-heapsize=524288>)
endif()
if(PUNA_SANITIZE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # false alarms once code is instrumented (GCC bug 105562, in <regex>)
    target_compile_options(puna_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
  add_compile_options(-fsanitize=${PUNA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PUNA_SANITIZE})
endif()
if(PUNA_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

# puna_cold(targets...): for programs that wait for people or run once: they compile at -Og, in three quarters of the
# time of -O1.
function(puna_cold)
  foreach(target IN LISTS ARGN)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Og>)
  endforeach()
endfunction()

# puna_test_code(targets...): -Og compiles tests in three quarters of the time of -O1 (test_capi 14 s instead of 19).
# Catch2's fast compilation leaves out the try of each assertion: an exception in one ends its test case.
function(puna_test_code)
  foreach(target IN LISTS ARGN)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Og>)
    target_compile_definitions(${target} PRIVATE CATCH_CONFIG_FAST_COMPILE)
  endforeach()
endfunction()
