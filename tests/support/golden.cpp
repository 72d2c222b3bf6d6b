#include "support/golden.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/catch.h"

namespace fs = std::filesystem;

namespace puna::test {

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  INFO("file " << path);
  REQUIRE(in.good());
  std::ostringstream s;
  s << in.rdbuf();
  return s.str();
}

int64_t Npy::count() const {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  return n;
}

std::vector<float> Npy::f32() const {
  REQUIRE(dtype == "<f4");
  std::vector<float> v(static_cast<size_t>(count()));
  memcpy(v.data(), bytes.data(), v.size() * 4);
  return v;
}

std::vector<int64_t> Npy::i64() const {
  const int width = dtype[2] - '0';
  const bool is_signed = dtype[1] == 'i';
  REQUIRE((dtype[1] == 'i' || dtype[1] == 'u' || dtype[1] == 'b'));
  std::vector<int64_t> v(static_cast<size_t>(count()));
  for (size_t i = 0; i < v.size(); ++i) {
    uint64_t x = 0;
    memcpy(&x, bytes.data() + i * size_t(width), size_t(width));
    const int shift = 64 - 8 * width;
    v[i] = is_signed ? int64_t(x << shift) >> shift : int64_t(x);
  }
  return v;
}

Npy load_npy(const std::string& path) {
  const std::string file = read_text(path);
  REQUIRE(file.compare(0, 6, "\x93NUMPY") == 0);
  const bool v1 = file[6] == 1;
  uint32_t header_size = 0;
  memcpy(&header_size, file.data() + 8, v1 ? 2 : 4);
  const size_t start = v1 ? 10 : 12;
  const std::string header = file.substr(start, header_size);
  Npy npy;
  const size_t d = header.find("'descr':");
  const size_t quote = header.find('\'', d + 8);
  npy.dtype = header.substr(quote + 1, header.find('\'', quote + 1) - quote - 1);
  REQUIRE(header.find("'fortran_order': False") != std::string::npos);
  const size_t open = header.find('(', header.find("'shape':"));
  std::istringstream dims(header.substr(open + 1, header.find(')', open) - open - 1));
  for (std::string part; std::getline(dims, part, ',');)
    if (part.find_first_of("0123456789") != std::string::npos) npy.shape.push_back(std::stoll(part));
  npy.bytes = file.substr(start + header_size);
  return npy;
}

Golden::Golden(std::string folder)
    : manifest(nlohmann::json::parse(read_text(folder + "/manifest.json"))), folder_(std::move(folder)) {}

bool Golden::has_file(const std::string& relative) const { return fs::exists(folder_ + "/" + relative); }

Npy Golden::array(const std::string& name) const {
  INFO("golden array " << name << " of " << folder_);
  REQUIRE(has(name));
  return load_npy(folder_ + "/" + manifest["arrays"][name]["file"].get<std::string>());
}

Tolerance Golden::tolerance(const std::string& name) const {
  const auto& compare = manifest["arrays"][name]["compare"];
  if (compare.is_string()) return {};
  return {compare.value("atol", 0.0), compare.value("rtol", 0.0)};
}

nlohmann::json Golden::group(const std::string& name) const {
  std::string text = read_text(folder_ + "/" + manifest["groups"][name]["file"].get<std::string>());
  const std::string infinite = "-Infinity";  // as Python writes it; JSON has no such number
  for (size_t at = text.find(infinite); at != text.npos; at = text.find(infinite, at))
    text.replace(at, infinite.size(), "\"-inf\"");
  return nlohmann::json::parse(text);
}

void Golden::check(const std::string& name, std::span<const float> got) const {
  check_close(fixture() + "/" + name, got, array(name).f32(), tolerance(name));
}

void check_close(const std::string& what, std::span<const float> got, std::span<const float> want, Tolerance t) {
  INFO(what);
  REQUIRE(got.size() == want.size());
  double worst = -1;
  size_t at = 0, bad = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const bool same = std::memcmp(&got[i], &want[i], 4) == 0;
    const double excess = same ? 0 : std::abs(double(got[i]) - want[i]) - (t.atol + t.rtol * std::abs(double(want[i])));
    const bool wrong = !same && !(excess <= 0);  // NaN is wrong
    bad += wrong;
    if (wrong && (worst < 0 || excess > worst || std::isnan(excess))) {
      worst = std::isnan(excess) ? 1e300 : excess;
      at = i;
    }
  }
  if (bad != 0)
    INFO("worst at " << at << ": got " << got[at] << ", want " << want[at] << "; atol " << t.atol << " rtol "
                     << t.rtol);
  CAPTURE(bad, at, bad ? got[at] : 0.f, bad ? want[at] : 0.f, t.atol, t.rtol);
  CHECK(bad == 0);
}

std::vector<Golden> goldens(bool (*wanted)(const Golden&)) {
  const char* dir = std::getenv("PUNA_GOLDEN_DIR");
  const std::string root = dir && *dir ? dir : PUNA_SOURCE_DIR "/tests/data/golden";
  INFO("golden sets under " << root);
  REQUIRE(fs::is_directory(root));
  std::vector<std::string> folders;
  for (const auto& e : fs::recursive_directory_iterator(root))
    if (e.path().filename() == "manifest.json") folders.push_back(e.path().parent_path().string());
  std::sort(folders.begin(), folders.end());
  std::vector<Golden> found;
  for (const auto& f : folders) {
    Golden g(f);
    if (wanted(g)) found.push_back(std::move(g));
  }
  REQUIRE(!found.empty());
  return found;
}

std::string model_file(const std::string& name) {
  const auto env = [](const char* n) {
    const char* v = std::getenv(n);
    return std::string(v ? v : "");
  };
  std::string dir = env("PUNA_MODELS");
  if (dir.empty())
    dir = (env("XDG_CACHE_HOME").empty() ? env("HOME") + "/.cache" : env("XDG_CACHE_HOME")) + "/puna/models";
  const std::string path = dir + "/" + name;
  return fs::exists(path) ? path : "";
}

}  // namespace puna::test
