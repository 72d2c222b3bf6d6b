// module.h -- what libpuna_http.so offers to http.cpp, which loads it: one HTTP server on threads of its own.
#pragma once
#include <cstddef>

struct PunaHttpOptions {
  const char* host;  // the address to listen at
  int port;          // 0: any that is free
  const char* page;  // a folder whose files are served, or NULL
  void* user;
  // A request to a path that is not a file: calls answer(to, ...) once and returns the HTTP status. Any thread, several at once; never throws.
  int (*handle)(void* user, const char* method, const char* path, const char* body, size_t size, void (*answer)(void* to, const char* json, size_t size), void* to);
};
struct PunaHttpServer;

extern "C" {
// NULL when the address cannot be listened at; else *port says where.
PunaHttpServer* puna_http_open(const PunaHttpOptions* options, int* port);
void puna_http_close(PunaHttpServer* server);  // waits for the requests under way
}
