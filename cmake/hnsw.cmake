# puna_hnsw: include/puna/recsys/neighbours.h by hnswlib, where that is there. Never part of libpuna.
find_path(PUNA_HNSWLIB_INCLUDE hnswlib/hnswlib.h)
if(NOT PUNA_HNSWLIB_INCLUDE)
  message(STATUS "hnswlib not found (libhnswlib-dev): no approximate search")
  return()
endif()
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/optional/hnsw/*.cpp)
add_library(puna_hnsw STATIC ${sources})
target_include_directories(puna_hnsw SYSTEM PRIVATE ${PUNA_HNSWLIB_INCLUDE})
target_link_libraries(puna_hnsw PUBLIC puna_recsys PRIVATE puna_flags)
if(PUNA_SANITIZE)  # it prefetches from addresses that it makes up
  target_compile_definitions(puna_hnsw PRIVATE NO_MANUAL_VECTORIZATION)
endif()
