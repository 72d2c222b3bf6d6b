#include "reference.h"

#include "base/os.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

constexpr uint64_t kLargestDocument = 64 << 20;

// A number of 0 or more; missing is 0.
double number_of(const text::JsonField& field) {
  if (field.is_null()) return 0;
  if (!field.json().is_number()) field.expected("a number of 0 or more");
  const double n = field.json().get<double>();
  if (!(n >= 0)) field.expected("a number of 0 or more");
  return n;
}

bool stays_inside(const std::string& path) {
  if (path.empty() || path.front() == '/' || path.find_first_of(std::string("\\:\0", 3)) != path.npos) return false;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (path.compare(at, end - at, "..") == 0) return false;
    at = end + 1;
  }
  return true;
}

}  // namespace

Reference::Reference(const std::string& folder) : folder_(folder) {
  const std::string path = folder + "/manifest.json";
  manifest_ = parse_json(os::read_file(path, kLargestDocument), path.c_str());
  if (root()["arrays"].is_null()) fail(Status::bad_file, "%s: it lists no arrays", path.c_str());
}

std::string Reference::path_of(const text::JsonField& entry) const {
  const text::JsonField file = entry["file"];
  if (!stays_inside(file.string())) file.expected("a path inside the manifest's folder");
  return folder_ + "/" + file.string();
}

Tolerance Reference::tolerance(const char* array) const {
  const text::JsonField compare = of_array(array)["compare"];
  if (compare.is_string()) {
    if (compare.string() != "exact") compare.expected("\"exact\" or an object with atol and rtol");
    return {};
  }
  return {number_of(compare["atol"]), number_of(compare["rtol"])};
}

std::vector<int32_t> Reference::read_ids(const char* array, int64_t vocab) const {
  const std::string path = path_of(of_array(array));
  const IntegerArray all = read_npy_integers(path);
  const int64_t count = all.shape.empty() ? 0 : all.shape.back();
  if (all.values.empty() || count == 0) fail(Status::bad_file, "%s: there are no token ids in it", path.c_str());
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t id = all.values[size_t(i)];
    if (id < 0 || id >= vocab)
      fail(Status::bad_file, "%s: token id %jd at %jd, expected 0 to %jd", path.c_str(), id, i, vocab - 1);
    ids.push_back(int32_t(id));
  }
  return ids;
}

std::string Reference::group(const char* name) const {
  const text::JsonField entry = root()["groups"][name];
  return entry.is_null() ? "" : os::read_file(path_of(entry), kLargestDocument);
}

}  // namespace puna::cli
