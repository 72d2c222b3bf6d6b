// improve.h -- what the two halves of `puna improve` share.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/json.h"
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
  std::vector<Option> of_people;  // read where people label alone, which the pool's answers decide too
};

// "200-labels", "200" -> 200
int64_t labels_of(const std::string& budget);
std::vector<uint64_t> seeds_of(const std::vector<std::string>& given);

// What came of a model that was learned, in its folder as round.json, so that --resume need not learn it again.
// `made_from`: a hash of all that it depends on.
class KeptRound {
 public:
  KeptRound(std::string folder, uint64_t made_from);
  // What keep() was given; nothing when that was made from other things, or is not there.
  std::optional<OrderedJson> find() const;
  void keep(const OrderedJson& results) const;

 private:
  std::string path_, made_from_;
};
// What of the options every model depends on; the model's files by their names, sizes and times.
Hash hash_of_learning(const ImproveFlags& flags);
// The report of --out: Error{invalid_argument} when something of that name is there that is no report of ours.
void require_own_reports(const ImproveFlags& flags);
// With --resume: Error{invalid_argument} when --out has nothing that could be gone on with.
void require_begun(const ImproveFlags& flags);
// Before anything is made: what learning itself would refuse.
void require_learnable(const ImproveFlags& flags, const ModelPtr& model);
// Error{bad_file} of a file of --out whose values are not as they were written.
[[noreturn]] void fail_changed(const std::string& path);

// From preference pairs: what of held-out pairs the model orders rightly after DPO, and what became of its perplexity.
void improve_by_pairs(const ImproveFlags& flags);

}  // namespace puna::cli
