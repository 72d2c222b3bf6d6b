// What is written under a name: files are replaced as they were (mode, links), devices and FIFOs never, and nothing is
// left of writers that died.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <tuple>
#include <vector>

#include "base/os.h"
#include "puna/base/error.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace {

std::string message_of(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

void replace(const std::string& path, const std::string& bytes) {
  os::AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

mode_t mode_of(const std::string& path) {
  struct stat st;
  REQUIRE(lstat(path.c_str(), &st) == 0);
  return st.st_mode;
}

class Umask {
 public:
  explicit Umask(mode_t mask) : before_(umask(mask)) {}
  ~Umask() { umask(before_); }

 private:
  mode_t before_;
};

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("a new file and a new folder have the rights of the umask, a replaced file has its own", "[base]") {
  const TempFolder folder;
  for (const auto& [mask, file_mode, folder_mode] :
       {std::tuple{077, 0600, 0700}, {022, 0644, 0755}, {002, 0664, 0775}}) {
    const Umask set(static_cast<mode_t>(mask));
    replace(folder / "new", "x");
    CHECK(int(mode_of(folder / "new") & 0777) == file_mode);
    os::make_folder(folder / "folder");
    CHECK(int(mode_of(folder / "folder") & 0777) == folder_mode);
    for (const mode_t kept : {mode_t(0600), mode_t(0640), mode_t(0666)}) {
      write_file(folder / "old", "old");
      REQUIRE(chmod((folder / "old").c_str(), kept) == 0);
      replace(folder / "old", "x");
      CHECK((mode_of(folder / "old") & 0777) == kept);
    }
    std::filesystem::remove(folder / "new");
    std::filesystem::remove(folder / "folder");
  }
}

TEST_CASE("of a file being written nobody may read more than of the one it replaces", "[base]") {
  const TempFolder folder;
  const Umask set(022);
  write_file(folder / "secret", "old");
  REQUIRE(chmod((folder / "secret").c_str(), 0600) == 0);
  os::AtomicFile file(folder / "secret");
  for (const std::string& name : names_in(folder.path())) CHECK((mode_of(folder / name) & 0777) == 0600);
}

TEST_CASE("a symbolic link stays, and what it leads to is replaced", "[base]") {
  const TempFolder folder;
  os::make_folder(folder / "real");
  write_file(folder / "real/target", "old");
  REQUIRE(symlink("real/target", (folder / "link").c_str()) == 0);
  REQUIRE(symlink("link", (folder / "chain").c_str()) == 0);
  REQUIRE(symlink("../real/later", (folder / "real/dangling").c_str()) == 0);
  REQUIRE(symlink("real", (folder / "short").c_str()) == 0);
  REQUIRE(symlink("round", (folder / "round").c_str()) == 0);
  replace(folder / "link", "one");
  CHECK(read_text(folder / "real/target") == "one");
  replace(folder / "chain", "two");
  CHECK(read_text(folder / "real/target") == "two");
  replace(folder / "real/dangling", "three");
  CHECK(read_text(folder / "real/later") == "three");
  replace(folder / "short/target", "four");
  CHECK(read_text(folder / "real/target") == "four");
  for (const char* link : {"link", "chain", "real/dangling", "short", "round"}) CHECK(S_ISLNK(mode_of(folder / link)));
  CHECK(message_of([&] { replace(folder / "round", "five"); }).find("round") != std::string::npos);
  CHECK(names_in(folder / "real") == std::vector<std::string>{"dangling", "later", "target"});
}

TEST_CASE("a FIFO gets the bytes and stays a FIFO", "[base]") {
  const TempFolder folder;
  const std::string path = folder / "pipe";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  REQUIRE(symlink("pipe", (folder / "link").c_str()) == 0);
  for (const char* name : {"pipe", "link"}) {
    const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
    REQUIRE(reader >= 0);
    replace(folder / name, "through");
    char bytes[16];
    CHECK(std::string(bytes, size_t(std::max<ssize_t>(0, read(reader, bytes, sizeof bytes)))) == "through");
    close(reader);
  }
  CHECK(S_ISFIFO(mode_of(path)));
  CHECK(names_in(folder.path()) == std::vector<std::string>{"link", "pipe"});
}

TEST_CASE("a FIFO that nobody reads, or that a mapped file cannot go to, is refused at once", "[base]") {
  const TempFolder folder;
  const std::string path = folder / "pipe";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  CHECK(message_of([&] { replace(path, "x"); }).find("nobody reads") != std::string::npos);
  CHECK(message_of([&] { os::AtomicFile file(path, os::AtomicFile::Streams::refused); }).find("cannot be streamed") !=
        std::string::npos);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  CHECK(message_of([&] { os::AtomicFile(path).map(100); }).find("cannot be mapped") != std::string::npos);
  close(reader);
  CHECK(S_ISFIFO(mode_of(path)));
}

TEST_CASE("a reader that goes away is an error and ends no process", "[base]") {
  const TempFolder folder;
  const std::string path = folder / "pipe";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  os::AtomicFile file(path);
  close(reader);
  CHECK(message_of([&] { file.write("x", 1); }).find(path) != std::string::npos);
}

TEST_CASE("a file that is open already is written where it is", "[base]") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  replace("/dev/fd/" + std::to_string(ends[1]), "here");
  char bytes[16];
  CHECK(std::string(bytes, size_t(std::max<ssize_t>(0, read(ends[0], bytes, sizeof bytes)))) == "here");
  close(ends[0]);
  CHECK(close(ends[1]) == 0);  // it is still the caller's
  CHECK(message_of([&] { replace("/dev/fd/987654", "x"); }) != "");
}

TEST_CASE("a folder is refused and nothing is left in it or beside it", "[base]") {
  const TempFolder folder;
  os::make_folder(folder / "taken");
  for (const std::string& path : {folder / "taken", folder / "taken/", folder / "taken/.", folder / "none/"}) {
    CAPTURE(path);
    CHECK(message_of([&] { replace(path, "x"); }) != "");
  }
  CHECK(names_in(folder.path()) == std::vector<std::string>{"taken"});
  CHECK(names_in(folder / "taken").empty());
}

TEST_CASE("what a killed writer left goes with the next write to that name, what a living one writes stays", "[base]") {
  const TempFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    os::AtomicFile file(folder / "f");
    file.write("half", 4);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(folder.file_count() == 1);
  CHECK(names_in(folder.path())[0].starts_with(".f.puna-" + std::to_string(child) + "-"));
  for (const char* other :
       {".f.puna-", ".f.puna-1-0123", ".f.puna-x-01234567", ".fg.puna-1-01234567", "f.puna-1-01234567"})
    write_file(folder / other, "");
  os::AtomicFile living(folder / "f");
  CHECK(folder.file_count() == 6);  // the dead one is gone
  replace(folder / "f", "new");
  CHECK(folder.file_count() == 7);
  living.write("newer", 5);
  living.commit();
  CHECK(read_text(folder / "f") == "newer");
  CHECK(folder.file_count() == 6);
}

TEST_CASE("a program that is about to end removes what it was writing, in any folder and of any name", "[base]") {
#ifdef __linux__
  const TempFolder folder;
  os::make_folder(folder / "sub");
  const pid_t child = fork();
  if (child == 0) {
    os::AtomicFile a(folder / "a"), b(folder / "sub/x.puna-1-b"), mapped(folder / "mapped");
    mapped.map(5000);
    write_file(folder / "done", "kept");
    os::remove_temporaries();
    _exit(int(folder.file_count()));
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(names_in(folder.path()) == std::vector<std::string>{"done", "sub"});
  CHECK(names_in(folder / "sub").empty());
#else
  PUNA_SKIP("the names of open files");
#endif
}

TEST_CASE("names as long as the system takes are written", "[base]") {
  const TempFolder folder;
  std::string name;
  while (name.size() + 2 <= 255) name += "\u00e9";
  replace(folder / name, "x");
  CHECK(names_in(folder.path()) == std::vector<std::string>{name});
}

TEST_CASE("a log keeps its beginning and grows; a folder is no log", "[base]") {
  const TempFolder folder;
  write_file(folder / "log", "keep\ndrop\n");
  std::string why;
  {
    os::AppendedFile log(folder / "log", 5);
    CHECK(log.append("more\n", 5, why) == 5);
  }
  CHECK(read_text(folder / "log") == "keep\nmore\n");
  CHECK(why.empty());
  CHECK(message_of([&] { os::AppendedFile log(folder.path(), 0); }) != "");
  CHECK(message_of([&] { os::AppendedFile log(folder / "none/log", 0); }) != "");
}
