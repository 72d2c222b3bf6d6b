// recsys_handles.h -- what is behind the opaque pointers of puna_recsys.h, and what its functions share.
#pragma once
#include "handles.h"
#include "puna/recsys/ranker_trainer.h"
#include "puna/recsys/recommender.h"
#include "puna_recsys.h"

struct puna_ranker {
  std::shared_ptr<puna::recsys::Ranker> impl;
  puna::recsys::RankerTrainerOptions options;
  std::unique_ptr<puna::recsys::RankerTrainer> trainer;  // from the first step on
};

struct puna_user {
  std::shared_ptr<const puna::recsys::Recommender> recommender;
  puna::recsys::UserState state;
};

namespace puna::capi {

inline const puna_ranker& use(const puna_ranker* ranker) {
  PUNA_REQUIRE(ranker != nullptr, "ranker is NULL");
  ranker->impl->context()->require_same_process();
  return *ranker;
}
inline puna_ranker& use(puna_ranker* ranker) {
  (void)use(static_cast<const puna_ranker*>(ranker));
  return *ranker;
}

inline puna_user& use(puna_user* user) {
  PUNA_REQUIRE(user != nullptr, "user is NULL");
  user->recommender->model()->context()->require_same_process();
  return *user;
}

inline ContextPtr context_or_new(const puna_context* context) { return context ? use(context) : make_context({}); }

inline int64_t or_default(int64_t value, int64_t otherwise, const char* name) {
  PUNA_REQUIRE(value >= 0, "%s is %jd, expected at least 0", name, value);
  return value != 0 ? value : otherwise;
}

// names[count], different UTF-8 texts. `what` they are: "item".
inline recsys::Names names_from_c(const char* const* names, uint64_t count, const char* what) {
  std::vector<std::string> list;
  for (uint64_t i = 0; i < count; ++i) {
    PUNA_REQUIRE(names[i] != nullptr, "the name of %s %ju is NULL", what, i);
    list.emplace_back(names[i]);
  }
  return {list, what};
}

// The struct's own arrays are checked here, what they say by whoever takes them. Where surfaces do not matter they may
// be NULL.
recsys::Examples examples_from_c(const recsys::RankerConfig& config, const puna_examples* theirs,
                                 bool with_surfaces = true);  // ranker.cpp

}  // namespace puna::capi
