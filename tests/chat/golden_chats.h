// golden_chats.h -- the chats of the golden sets: Llama 4's own, and those of every family that ships a template.
#pragma once
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "puna/chat/chat_template.h"
#include "support/catch.h"
#include "support/golden.h"

namespace puna::test {

using nlohmann::ordered_json;

inline ordered_json read_json(const Golden& g, const std::string& group) {
  return ordered_json::parse(read_text(g.folder() + "/" + g.manifest["groups"][group]["file"].get<std::string>()));
}

inline std::vector<Golden> tokenizer_sets() {
  return goldens([](const Golden& g) { return g.fixture() == "tokenizer"; });
}

struct Family {
  std::string name, source;
  ordered_json cases;  // each has a name
  ChatTemplate::Texts specials;
};

inline std::vector<Family> families() {
  std::vector<Family> all;
  for (const Golden& g : goldens([](const Golden& s) { return s.fixture().starts_with("tokenizer"); }))
    for (const auto& [group, what] : g.manifest["groups"].items()) {
      if (!group.ends_with("_template")) continue;
      const std::string name = group.substr(0, group.size() - 9), how = what.value("how", "");
      Family f{name, read_text(g.folder() + "/golden/" + name + "_chat_template.jinja"), read_json(g, group), {}};
      for (size_t i = 0; i < f.cases.size(); ++i) f.cases[i].emplace("name", "case " + std::to_string(i));
      for (const std::string key : {"bos_token", "eos_token"}) {
        std::smatch found;
        if (std::regex_search(how, found, std::regex(key + "='([^']*)'"))) f.specials[key] = found[1];
      }
      if (name == "llama4_hf") f.specials["bos_token"] = "<|begin_of_text|>";
      all.push_back(std::move(f));
    }
  REQUIRE(all.size() >= 2);
  return all;
}

}  // namespace puna::test
