// bench_options.h -- what Puna's sides of the comparisons with PyTorch share: words of a command line, and a context
// with a provider by name.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "puna/base/error.h"
#include "puna/runtime/model.h"
#include "puna_providers.h"

namespace puna::bench {

// "--name value" for the names given as having one, "--name" for all others, and the rest in order.
struct Words {
  std::map<std::string, std::string> options;
  std::vector<std::string> rest;
  Words(int argc, char** argv, const std::string& with_value) {
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (word.rfind("--", 0) != 0)
        rest.push_back(word);
      else if ((" " + with_value + " ").find(" " + word + " ") == std::string::npos)
        options[word] = "1";
      else if (i + 1 < argc)
        options[word] = argv[++i];
    }
  }
  bool has(const std::string& name) const { return options.count(name) != 0; }
  std::string text(const std::string& name) const { return has(name) ? options.at(name) : ""; }
  int64_t number(const std::string& name, int64_t otherwise) const {
    return has(name) ? std::stoll(options.at(name)) : otherwise;
  }
};

// --threads N, --isa LEVEL, --providers NAME, --bf16
inline ContextPtr context_of(const Words& words) {
  ContextOptions options;
  options.threads = int(words.number("--threads", 2));
  options.isa = words.text("--isa");
  if (const std::string name = words.text("--providers"); !name.empty()) {
    const puna_gemm_provider* p = nullptr;
    if (puna_providers_find(name.c_str(), &p))
      fail(Status::unsupported, "no provider '%s'; there are: %s", name.c_str(), puna_providers_names());
    options.provider = {p->name, p->user, p->f32, p->bf16};
    options.allow_providers = words.has("--bf16") ? AllowProviders::bf16 : AllowProviders::f32;
  }
  return make_context(options);
}

}  // namespace puna::bench
