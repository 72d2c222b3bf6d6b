// improve.h -- what the two halves of `puna improve` share.
#pragma once
#include <string>
#include <vector>

#include "common.h"
#include "improve_model.h"

namespace puna::cli {

struct ImproveFlags {
  ModelFlags model;
  std::string pool, held_out, regression, out = "improve", budget = "200-labels", method = "sft", text,
                                          decide = "majority";
  std::string pairs, held_out_pairs;
  std::vector<std::string> arms, seeds;
  LearnOptions learn;
  int64_t wanted = 1, max_tokens = 256;
  float tolerance = 0.02f, share = 0.2f;
  bool ask_people = false, resume = false, overwrite = false;
};

// "200-labels", "200" -> 200
int64_t labels_of(const std::string& budget);
std::vector<uint64_t> seeds_of(const std::vector<std::string>& given);

// From preference pairs: what of held-out pairs the model orders rightly after DPO, and what became of its perplexity.
void improve_by_pairs(const ImproveFlags& flags);

}  // namespace puna::cli
