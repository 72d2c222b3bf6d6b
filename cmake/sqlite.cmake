# puna_sqlite: include/puna/recsys/event_log.h by SQLite, where that is there. Never part of libpuna.
find_package(SQLite3 3.37 QUIET)
if(NOT SQLite3_FOUND)
  message(STATUS "SQLite 3.37 not found (libsqlite3-dev): no event log")
  return()
endif()
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/optional/sqlite/*.cpp)
add_library(puna_sqlite STATIC ${sources})
target_link_libraries(puna_sqlite PUBLIC puna_recsys PRIVATE SQLite::SQLite3 puna_flags)
