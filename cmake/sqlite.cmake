# puna_sqlite: the event log (include/puna/recsys/event_log.h) and the label store (include/puna/label/store.h) by
# SQLite, where that is there. Never part of libpuna.
find_package(SQLite3 3.37 QUIET)
if(NOT SQLite3_FOUND)
  message(STATUS "SQLite 3.37 not found (libsqlite3-dev): no event log, no label store")
  return()
endif()
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/optional/sqlite/*.cpp)
if(NOT TARGET puna_recsys)
  list(FILTER sources EXCLUDE REGEX "/event_log\\.cpp$")
endif()
if(NOT TARGET puna_label)
  list(FILTER sources EXCLUDE REGEX "/label_[a-z]+\\.cpp$")
endif()
add_library(puna_sqlite STATIC ${sources})
target_link_libraries(puna_sqlite PUBLIC $<TARGET_NAME_IF_EXISTS:puna_recsys> $<TARGET_NAME_IF_EXISTS:puna_label>
  PRIVATE SQLite::SQLite3 puna_flags)
