#include "model/leftovers.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "puna/base/error.h"

namespace puna {
namespace {

std::optional<double> number_of(const MetadataValue& v) {
  if (const auto* i = std::get_if<int64_t>(&v)) return double(*i);
  if (const auto* d = std::get_if<double>(&v)) return *d;
  return std::nullopt;
}

bool is_nothing(const MetadataValue& v) {
  const auto* integers = std::get_if<std::vector<int64_t>>(&v);
  return std::holds_alternative<std::monostate>(v) || (integers && integers->empty());
}

bool same(const MetadataValue& a, const MetadataValue& b) {
  const std::optional<double> x = number_of(a), y = number_of(b);
  if (x && y) return std::abs(*x - *y) <= 1e-6 * std::abs(*y);
  return a == b;
}

}  // namespace

void require_neutral(const Metadata& m, const std::string& prefix, std::span<const NeutralKey> keys) {
  for (const NeutralKey& k : keys) {
    const std::string key = prefix + k.key;
    if (!m.has(key)) continue;
    const MetadataValue* value = m.find(key);
    bool neutral = value && is_nothing(*value);
    std::string expected;
    for (const MetadataValue& n : k.neutral) {
      neutral = neutral || (value && same(*value, n));
      expected += (expected.empty() ? ", expected " : " or ") + describe(n);
    }
    if (!neutral)
      fail(Status::unsupported, "metadata '%.200s' is %s, which is not supported%s", key.c_str(),
           value ? describe(*value).c_str() : "an object or list", expected.c_str());
  }
}

void judge_unread(const TensorMap& tensors, FunctionRef<std::string(std::string_view name)> why) {
  const auto judge = [&](const std::string& name) {
    const std::string reason = why(name);
    if (!reason.empty()) fail(Status::unsupported, "tensor '%.200s' %s", name.c_str(), reason.c_str());
  };
  for (size_t i = 0; i < tensors.size(); ++i)
    if (!tensors.was_read(i)) judge(tensors.entries()[i].name);
  for (const UnreadableTensor& t : tensors.unreadable()) judge(t.name);
}

int64_t layer_of(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return -1;
  name.remove_prefix(prefix.size());
  int64_t layer = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  return error == std::errc() && end != name.data() + name.size() && *end == '.' && layer >= 0 ? layer : -1;
}

}  // namespace puna
