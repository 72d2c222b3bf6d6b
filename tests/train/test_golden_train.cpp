// Full training against torch: the loss, the gradient of every parameter, ten AdamW steps, the schedules (reference:
// transformers, float32).
#include "train/golden_train.h"

using namespace puna;
using namespace puna::test;
using namespace puna::train;

namespace {

bool trains_all(const Golden& g) { return g.has("lr_cosine_warmup5_total40"); }

// Every named tensor of the golden file, as `values_of` gives the values behind it.
void check_tensors(const Golden& g, const std::string& group, Llama& model, const Context& context,
                   FunctionRef<const float*(const void*)> values_of) {
  const auto want = golden_tensors(g, context, g.manifest["groups"][group]["file"]);
  size_t seen = 0;
  for (const NamedTensor& t : named_tensors(model)) {
    const auto found = want.find(t.name);
    REQUIRE(found != want.end());
    std::vector<float> got(found->second.size());
    copy_out(got.data(), t, values_of);
    check_close(t.name, got, found->second, group_tolerance(g, group));
    ++seen;
  }
  CHECK(seen == want.size());
}

}  // namespace

TEST_CASE("loss, gradients and ten AdamW steps are torch's", "[train][golden]") {
  for (const Golden& g : goldens(trains_all))
    for (const bool checkpoint : {false, true}) {
      INFO("golden set " << g.folder() << (checkpoint ? ", checkpointed" : ""));
      const LoadedLlama base = load_llama(g.folder());
      Parameters parameters(base.context);
      Llama model = make_trainable(base.llama, parameters);
      Optimizer optimizer(parameters, golden_optimizer(g));
      Pass pass(*base.context, model, {true, checkpoint});
      const std::vector<Sequence> batch = golden_batch(g);
      const Pass::Target target{&parameters.gradients(), nullptr, {}};
      const float weight = 1.0f / float(counted(batch));
      const std::vector<float> want = doubles(g, "losses");
      std::vector<float> losses, norms;
      for (size_t step = 0; step + 1 < want.size(); ++step) {
        parameters.zero_gradients();
        losses.push_back(float(mean(pass.losses(batch, weight, target))));
        if (step == 0)
          check_tensors(g, "grads", model, *base.context,
                        [&](const void* weights) { return parameters.gradients().at(weights); });
        norms.push_back(float(optimizer.step()));
      }
      losses.push_back(float(mean(pass.losses(batch, weight, {}))));
      check_close("grad_norms", norms, doubles(g, "grad_norms"), g.tolerance("grad_norms"));
      check_close("losses", losses, want, g.tolerance("losses"));
      check_tensors(g, "final_params", model, *base.context,
                    [](const void* weights) { return static_cast<const float*>(weights); });
    }
}

TEST_CASE("schedules are transformers'", "[train][golden]") {
  for (const Golden& g : goldens(trains_all))
    for (const auto& [name, kind] : {std::pair("lr_linear_warmup5_total40", ScheduleKind::linear),
                                     std::pair("lr_cosine_warmup5_total40", ScheduleKind::cosine)}) {
      const Schedule schedule{kind, 5, 40, 0};
      std::vector<float> got;
      for (int64_t step = 0; step <= 40; ++step) got.push_back(float(schedule.factor(step)));
      const Tolerance t = g.tolerance(name);
      check_close(name, got, doubles(g, name), {t.atol + 1e-9, t.rtol + 1e-7});  // rounded to float here
    }
}
