// Files: mapped and read whole or refused with their name; replaced in one step or not at all.
#include "base/os.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "puna/base/error.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace {

// The status and message of the error that fn throws.
template <class Fn>
std::pair<Status, std::string> error_of(Fn fn) {
  try {
    fn();
  } catch (const Error& e) {
    return {e.status(), e.what()};
  }
  return {Status::ok, ""};
}

}  // namespace

TEST_CASE("a mapped file is its bytes", "[base]") {
  const TempFolder folder;
  for (const size_t bytes : {1, 4095, 4096, 100001}) {
    std::string content(bytes, '\0');
    for (size_t i = 0; i < bytes; ++i) content[i] = char(i * 7);
    write_file(folder / "f", content);
    const os::MappedFile map(folder / "f");
    REQUIRE(map.size() == bytes);
    CHECK(std::string(reinterpret_cast<const char*>(map.data()), bytes) == content);
    CHECK(os::read_file(folder / "f", bytes) == content);
  }
}

TEST_CASE("what cannot be read is an error that names it", "[base]") {
  const TempFolder folder;
  write_file(folder / "empty", "");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (const std::string& path :
       {folder / "missing", folder.path(), folder / "pipe", folder / "missing/too", std::string("/dev/null")}) {
    CAPTURE(path);
    for (const auto& [status, message] :
         {error_of([&] { os::MappedFile map(path); }), error_of([&] { os::read_file(path, 100); })}) {
      CHECK(status == Status::io);
      CHECK(message.find(path) != std::string::npos);
    }
  }
  CHECK(error_of([&] { os::MappedFile map(folder / "empty"); }).first == Status::bad_file);
  CHECK(os::read_file(folder / "empty", 0) == "");
  CHECK(os::is_file(folder / "empty"));
  CHECK_FALSE(os::is_file(folder / "pipe"));
  CHECK_FALSE(os::is_file(folder.path()));
  CHECK(os::is_directory(folder.path()));
  CHECK_FALSE(os::is_directory(folder / "empty"));
}

TEST_CASE("a file larger than expected is not read", "[base]") {
  const TempFolder folder;
  write_file(folder / "f", std::string(100, 'x'));
  CHECK(os::read_file(folder / "f", 100).size() == 100);
  const auto [status, message] = error_of([&] { os::read_file(folder / "f", 99); });
  CHECK(status == Status::bad_file);
  CHECK(message.find("100 bytes") != std::string::npos);
}

TEST_CASE("an atomic file is there when committed, and the old one until then", "[base]") {
  const TempFolder folder;
  write_file(folder / "f", "old");
  {
    os::AtomicFile file(folder / "f");
    file.write("ne", 2);
    CHECK(read_text(folder / "f") == "old");
    file.write("w", 1);
    file.write(nullptr, 0);
    file.commit();
    CHECK(read_text(folder / "f") == "new");
  }
  CHECK(read_text(folder / "f") == "new");
  CHECK(folder.file_count() == 1);
}

TEST_CASE("an atomic file that is given up leaves nothing behind", "[base]") {
  const TempFolder folder;
  write_file(folder / "f", "old");
  {
    os::AtomicFile given_up(folder / "f"), never_there(folder / "g");
    given_up.write("new", 3);
    CHECK(folder.file_count() == 3);
  }
  CHECK(folder.file_count() == 1);
  CHECK(read_text(folder / "f") == "old");
}

TEST_CASE("an atomic file that fails leaves nothing behind", "[base]") {
  const TempFolder folder;
  CHECK(error_of([&] { os::AtomicFile file(folder / "missing/f"); }).first == Status::io);
  REQUIRE(mkdir((folder / "taken").c_str(), 0700) == 0);
  const auto [status, message] = error_of([&] {
    os::AtomicFile file(folder / "taken");  // a folder cannot be replaced by a file
    file.write("x", 1);
    file.commit();
  });
  CHECK(status == Status::io);
  CHECK(message.find("taken") != std::string::npos);
  CHECK(folder.file_count() == 0);

  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto full = error_of([&] {  // a disk that is full half way through
    os::AtomicFile file(folder / "f");
    const std::string bytes(100000, 'x');
    file.write(bytes.data(), bytes.size());
    file.commit();
  });
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(full.first == Status::io);
  CHECK(full.second.find((folder / "f")) != std::string::npos);
  CHECK(folder.file_count() == 0);
}
