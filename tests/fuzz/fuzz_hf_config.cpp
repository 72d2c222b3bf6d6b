// fuzz_hf_config.cpp -- any text as config.json and as model.safetensors.index.json, and every getter on what comes
// out.
#include "expect_error.h"
#include "io/hf_config.h"
#include "target.h"

FUZZ_TARGET(hf_config) {
  using puna::test::expect_error_only;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  puna::Metadata m;
  expect_error_only([&] { puna::io::flatten_config(text, "config.json", "", m); });
  expect_error_only([&] { puna::io::flatten_config(text, "generation_config.json", "generation.", m); });
  for (const auto& [key, value] : m.values()) {
    expect_error_only([&] { m.integer(key, 0, 100); });
    expect_error_only([&] { m.number(key, 0, 1); });
    expect_error_only([&] { m.boolean(key); });
    expect_error_only([&] { m.string(key); });
    expect_error_only([&] { m.integers(key); });
    expect_error_only([&] { m.numbers(key); });
    expect_error_only([&] { m.strings(key); });
  }
  expect_error_only([&] {
    for (const auto& [shard, tensors] : puna::io::parse_shard_index(text, "index.json").tensors_of)
      if (tensors.empty() || shard.find('/') != shard.npos || shard.find("..") == 0) __builtin_trap();
  });
  return 0;
}
