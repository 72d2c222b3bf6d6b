// model_attack.h -- hyper-parameters and tensors that a file could claim: each attack changes one thing of a model that
// loads, and must be refused with an Error naming it, at once and without memory to speak of.
#pragma once
#include <limits>
#include <set>

#include "attacks/heap_meter.h"
#include "support/catch.h"
#include "support/run_model.h"

namespace puna::test {

inline constexpr int64_t kHuge = int64_t(1) << 40;
inline const double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

using Integers = std::vector<int64_t>;
using Strings = std::vector<std::string>;

struct KeyAttack {
  const char* key;
  MetadataValue value;          // monostate: the key is missing
  const char* named = nullptr;  // expected in the message; NULL = the key
};

// What an attack may cost: the small model itself, packed, and a few vectors of kMaxLayers entries; nothing that
// follows the claimed sizes.
inline constexpr size_t kMemory = 32 << 20;

// load(context) must throw Error{bad_file or unsupported} with `named` in its message.
template <class Load>
void expect_model_refused(const ContextPtr& context, const std::string& named, Load load) {
  const HeapMeter heap;
  bool refused = false;
  try {
    load(*context);
  } catch (const Error& e) {
    refused = true;
    const std::string message = e.what();
    CAPTURE(message, named);
    CHECK((e.status() == Status::bad_file || e.status() == Status::unsupported));
    CHECK(message.find(named) != std::string::npos);
  }
  CHECK(refused);
  CHECK(HeapMeter::peak() < kMemory);
  CHECK(context->allocator()->used() == 0);
}

// A map without `removed` and with `changed` in place of the tensor of its name.
inline TensorMap with(const TensorMap& tensors, const std::string& removed, const TensorEntry* changed = nullptr) {
  TensorMap m;
  for (const TensorEntry& t : tensors.entries()) {
    if (t.name == removed) continue;
    m.add(changed && t.name == changed->name ? *changed : t);
  }
  return m;
}

// What a file may say of one tensor and must not: a shape, a type or a size that the model does not have.
inline std::vector<std::pair<std::string, TensorEntry>> tensor_lies(const TensorEntry& t) {
  std::vector<std::pair<std::string, TensorEntry>> lies;
  const auto lie = [&](const char* what, auto change) {
    TensorEntry x = t;
    change(x);
    lies.emplace_back(what, std::move(x));
  };
  lie("one more in the last dimension", [](TensorEntry& x) { ++x.shape.dim[x.shape.rank - 1]; });
  lie("one less in the first dimension", [](TensorEntry& x) { --x.shape.dim[0]; });
  lie("a huge dimension", [](TensorEntry& x) { x.shape.dim[0] = kHuge; });
  lie("a negative dimension", [](TensorEntry& x) { x.shape.dim[0] = -x.shape.dim[0]; });
  lie("a dimension of zero", [](TensorEntry& x) { x.shape.dim[0] = 0; });
  if (t.shape.rank < kMaxRank) lie("one dimension more", [](TensorEntry& x) { x.shape.dim[x.shape.rank++] = 1; });
  lie("one dimension less", [](TensorEntry& x) { x.shape.dim[--x.shape.rank] = 1; });
  if (t.shape.rank > 1 && t.shape[0] != t.shape[1])
    lie("the dimensions swapped", [](TensorEntry& x) { std::swap(x.shape.dim[0], x.shape.dim[1]); });
  for (const DType type : {DType::i8, DType::i32, DType::i64, DType::f64, DType::boolean})
    if (type != t.dtype)
      lie(name(type), [&](TensorEntry& x) {
        x.dtype = type;
        x.bytes = bytes_of(info(type), uint64_t(x.shape.count()));
      });
  lie("fewer bytes than it takes", [](TensorEntry& x) { --x.bytes; });
  lie("no bytes", [](TensorEntry& x) { x.bytes = 0; });
  lie("blocks of 256 that do not fill a row", [](TensorEntry& x) {
    x.dtype = DType::q4_k;
    x.bytes = 144;
  });
  return lies;
}

}  // namespace puna::test
