// killed.h -- a process that is killed in the middle of its work, and what it had acknowledged by then.
#pragma once
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>

#include "support/catch.h"

namespace puna::test {

// A child runs `work(acknowledge)`, which goes on for ever, and is killed when it has acknowledged `wanted`: amid what
// it did next, most likely. Returns the last number that it acknowledged.
template <class Work>
int64_t killed_after(int64_t wanted, Work&& work) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    close(ends[0]);
    try {
      work([&](int64_t number) {
        if (write(ends[1], &number, sizeof number) != sizeof number) _exit(1);
      });
    } catch (...) {}
    _exit(1);  // the parent sees the end of the pipe
  }
  close(ends[1]);
  int64_t last = 0;
  while (last < wanted) REQUIRE(read(ends[0], &last, sizeof last) == sizeof last);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  for (int64_t got; read(ends[0], &got, sizeof got) == sizeof got;) last = got;
  close(ends[0]);
  return last;
}

}  // namespace puna::test
