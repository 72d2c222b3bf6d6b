#include "puna/ads/ope.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/format.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

constexpr int32_t kMostNumber = 1 << 24;  // of contexts, of actions
constexpr double kLeastEssShare = 0.01, kMostMeanError = 0.1, kMostLargestShare = 0.05;
constexpr int64_t kFewRewards = 30;
constexpr double kLeastPropensity = 1e-100;  // squares of its inverse, summed over a log, are numbers

// Mean and deviation, one value at a time: B. P. Welford, Technometrics 1962.
struct Running {
  double mean = 0, squares = 0;
  int64_t n = 0;
  void add(double x) noexcept {
    const double delta = x - mean;
    mean += delta / double(++n);
    squares += delta * (x - mean);
  }
  double standard_error() const noexcept { return n > 1 ? std::sqrt(squares / double(n - 1) / double(n)) : 0; }
};

struct OpeCell {
  int64_t shown = 0;
  double rewards = 0, least_p = 2, most_p = 0;
  double pi = 0, q = 0;
};

struct OpeAction {
  int64_t shown = 0;
  double inverse = 0, inverse_squares = 0;  // sums of 1 / p
};

}  // namespace

struct OffPolicy::Impl {
  OpeOptions o;
  int32_t contexts = 0, actions = 0;
  std::unordered_map<uint64_t, OpeCell> cells;  // by context and action: those that the log has
  std::vector<OpeAction> of_action;
  std::vector<double> value;  // V(x)
  Running log, dm, ips, dr;
  std::vector<Running> clipped, switched, shrunk;
  std::vector<double> clipped_weights;  // sums of min(w, c)
  int64_t taken = 0;                    // actions that the log has
  int64_t rows = 0, rewarded = 0, without_propensity = 0, estimated = 0, unsupported = 0, empty_cells = 0;
  double largest = 0, w = 0, ww = 0, wr = 0, wwr = 0, wwrr = 0;  // sums of products of weights and rewards
  double wd = 0;                                                 // and of w (r - q)
  double vv = 0, v = 0, vwd = 0, vw = 0, wdwd = 0, wdw = 0;
  bool estimating = false;

  explicit Impl(const OpeOptions& options)
      : o(options),
        clipped(o.clips.size()),
        switched(o.switches.size()),
        shrunk(o.shrinkages.size()),
        clipped_weights(o.clips.size()) {}

  static uint64_t key(int64_t context, int64_t action) noexcept { return uint64_t(context) << 32 | uint64_t(action); }
  bool has(int64_t context, int64_t action) const {
    const auto found = cells.find(key(context, action));
    return found != cells.end() && found->second.shown != 0;
  }
  const OpeCell& cell(const LoggedChoice& row) const {
    const auto found = cells.find(key(row.context, row.action));
    PUNA_REQUIRE(found != cells.end() && found->second.shown != 0, "context %d, action %d was not counted",
                 int(row.context), int(row.action));
    return found->second;
  }
  void judge(OpeReport& r) const;
  int64_t contexts_off_one() const;
};

// Where every action of a context always had the same propensity, these must add up to 1. How many do not.
int64_t OffPolicy::Impl::contexts_off_one() const {
  std::vector<double> sum(static_cast<size_t>(contexts));
  std::vector<int64_t> fixed(static_cast<size_t>(contexts));
  for (const auto& [at, cell] : cells) {
    if (cell.shown == 0) continue;
    sum[at >> 32] += cell.most_p;
    fixed[at >> 32] += cell.most_p - cell.least_p <= 1e-9;
  }
  int64_t off = 0;
  for (size_t x = 0; x < sum.size(); ++x) off += fixed[x] == taken && std::fabs(sum[x] - 1) > 1e-3;
  return off;
}

// Whether the log can carry a conclusion, and what should have been logged.
void OffPolicy::Impl::judge(OpeReport& r) const {
  const auto n = double(rows);
  for (size_t a = 0; a < of_action.size(); ++a) {
    const OpeAction& action = of_action[a];
    const double variance = action.inverse_squares - action.inverse * action.inverse / n;
    if (action.shown < 2 || variance <= 0) continue;
    const double errors = (action.inverse - n) / std::sqrt(variance);
    if (std::fabs(errors) <= std::fabs(r.worst_errors)) continue;
    r.worst_errors = errors;
    r.worst_ratio = action.inverse / n;
    r.worst_action = int64_t(a);
  }
  if (without_propensity > 0)
    r.refusals.push_back(format(
        "%jd of %jd rows have no propensity above 0: log the probability with which each shown variant was drawn",
        without_propensity, rows));
  if (unsupported > 0)
    r.refusals.push_back(
        format("the policy takes actions that the log never took, in %jd contexts and actions: show "
               "each at least a little (an exploration floor)",
               unsupported));
  if (r.ess < kLeastEssShare * n)
    r.refusals.push_back(
        format("the effective sample size is %.4g, below 1 %% of %jd rows: the log rarely did what "
               "the policy would; log more rows with a higher exploration floor",
               r.ess, rows));
  if (std::fabs(r.mean_weight - 1) > kMostMeanError)
    r.refusals.push_back(
        format("the mean weight is %.4g, expected 1 +- 0.1: the propensities are not those with which "
               "the actions were drawn; log them when drawing",
               r.mean_weight));
  if (r.largest_share > kMostLargestShare)
    r.warnings.push_back(format("one row has %.3g %% of all weight", 100 * r.largest_share));
  if (rewarded < kFewRewards)
    r.warnings.push_back(format("%jd rows have a reward; standard errors are unreliable below 30", rewarded));
  if (empty_cells > 0)
    r.warnings.push_back(
        format("the policy takes %jd actions in contexts in which the log never took them", empty_cells));
  if (const int64_t off = contexts_off_one(); off > 0)
    r.warnings.push_back(format("the propensities do not add up to 1 in %jd contexts", off));
  if (std::fabs(r.worst_errors) > 4)
    r.warnings.push_back(
        format("propensities are not calibrated: the rows of one action stand for %.3g of the log, "
               "%.3g standard errors from 1",
               r.worst_ratio, std::fabs(r.worst_errors)));
}

OffPolicy::OffPolicy(const OpeOptions& o) {
  const auto positive = [](const std::vector<double>& values, const char* name) {
    PUNA_REQUIRE(values.size() <= 100, "there are %zu %s, at most 100 are possible", values.size(), name);
    for (const double x : values)
      PUNA_REQUIRE(x > 0 && x <= 1e12, "%s has %g, expected numbers above 0, up to 1e12", name, x);
  };
  PUNA_REQUIRE(o.shrink > 0 && o.shrink <= 1e12, "shrink is %g, expected a number above 0, up to 1e12", o.shrink);
  positive(o.clips, "clips");
  positive(o.switches, "switches");
  positive(o.shrinkages, "shrinkages");
  impl_ = std::make_unique<Impl>(o);
}
OffPolicy::~OffPolicy() = default;

int32_t OffPolicy::contexts() const noexcept { return impl_->contexts; }
int32_t OffPolicy::actions() const noexcept { return impl_->actions; }

void OffPolicy::check(const LoggedChoice& row) {
  PUNA_REQUIRE(row.context >= 0 && row.action >= 0, "context %d and action %d, expected 0 or more", int(row.context),
               int(row.action));
  PUNA_REQUIRE(std::fabs(row.reward) <= 1e12, "the reward is %g, expected a number up to 1e12", row.reward);
  PUNA_REQUIRE(row.propensity <= 1 && !(row.propensity > 0 && row.propensity < kLeastPropensity),
               "the propensity is %g, expected a probability: 0, or %g to 1", row.propensity, kLeastPropensity);
  PUNA_REQUIRE(row.context < kMostNumber && row.action < kMostNumber, "context %d and action %d, expected below %d",
               int(row.context), int(row.action), int(kMostNumber));
}

void OffPolicy::make_room(const LoggedChoice& row) {
  check(row);
  Impl& m = *impl_;
  if (m.estimating) fail(Status::wrong_state, "rows are counted before the estimates begin");
  if (size_t(row.action) >= m.of_action.size()) m.of_action.resize(size_t(row.action) + 1);
  m.cells.try_emplace(Impl::key(row.context, row.action));  // shown 0 times: as if it were not there
}

void OffPolicy::count(const LoggedChoice& row) {
  make_room(row);
  Impl& m = *impl_;
  OpeCell& cell = m.cells[Impl::key(row.context, row.action)];
  m.contexts = std::max(m.contexts, row.context + 1);
  m.actions = std::max(m.actions, row.action + 1);
  ++cell.shown;
  cell.rewards += row.reward;
  ++m.rows;
  m.rewarded += row.reward != 0;
  m.log.add(row.reward);
  OpeAction& action = m.of_action[size_t(row.action)];
  ++action.shown;
  if (!(row.propensity > 0)) {
    ++m.without_propensity;
    return;
  }
  cell.least_p = std::min(cell.least_p, row.propensity);
  cell.most_p = std::max(cell.most_p, row.propensity);
  action.inverse += 1 / row.propensity;
  action.inverse_squares += 1 / row.propensity / row.propensity;
}

void OffPolicy::begin_estimates(const std::vector<double>* policy) {
  Impl& m = *impl_;
  if (m.estimating) fail(Status::wrong_state, "the estimates have begun already");
  PUNA_REQUIRE(m.rows > 0, "the log has no rows");
  PUNA_REQUIRE(!policy || policy->size() == size_t(m.contexts) * size_t(m.actions),
               "the policy has %zu probabilities, expected %d contexts times %d actions", policy ? policy->size() : 0,
               int(m.contexts), int(m.actions));
  m.unsupported = m.empty_cells = 0;
  m.taken = std::count_if(m.of_action.begin(), m.of_action.end(), [](const OpeAction& a) { return a.shown != 0; });
  const double even = 1.0 / double(m.taken), mean = m.log.mean;
  // V(x): q of what the log does not have in a context is the log's mean, so the others' differences from it remain.
  m.value.assign(size_t(m.contexts), mean);
  for (auto& [at, cell] : m.cells) {
    if (cell.shown == 0) continue;
    const uint64_t x = at >> 32, a = at & 0xFFFFFFFF;
    cell.pi = policy ? (*policy)[x * uint64_t(m.actions) + a] : even;
    cell.q = (cell.rewards + m.o.shrink * mean) / (double(cell.shown) + m.o.shrink);
    m.value[x] += cell.pi * (cell.q - mean);
  }
  if (!policy) {
    m.empty_cells = int64_t(m.contexts) * m.taken -
                    std::count_if(m.cells.begin(), m.cells.end(), [](const auto& c) { return c.second.shown != 0; });
  } else {
    for (int32_t x = 0; x < m.contexts; ++x) {
      double sum = 0;
      for (int32_t a = 0; a < m.actions; ++a) {
        const double pi = (*policy)[size_t(x) * size_t(m.actions) + size_t(a)];
        PUNA_REQUIRE(pi >= 0 && pi <= 1, "the policy's probability of action %d in context %d is %g", int(a), int(x),
                     pi);
        sum += pi;
        if (pi == 0) continue;
        if (m.of_action[size_t(a)].shown == 0)
          ++m.unsupported;
        else
          m.empty_cells += !m.has(x, a);
      }
      PUNA_REQUIRE(std::fabs(sum - 1) <= 1e-6, "the policy's probabilities in context %d add up to %g", int(x), sum);
    }
  }
  m.estimating = true;
}

void OffPolicy::check_counted(const LoggedChoice& row) const {
  check(row);
  if (!impl_->estimating) fail(Status::wrong_state, "the estimates begin after the last row was counted");
  (void)impl_->cell(row);
}

void OffPolicy::estimate(const LoggedChoice& row) {
  Impl& m = *impl_;
  if (!m.estimating) fail(Status::wrong_state, "the estimates begin after the last row was counted");
  const OpeCell& cell = m.cell(row);
  const double v = m.value[size_t(row.context)], w = row.propensity > 0 ? cell.pi / row.propensity : 0,
               d = row.reward - cell.q, wr = w * row.reward, wd = w * d;
  ++m.estimated;
  m.dm.add(v);
  m.ips.add(wr);
  m.dr.add(v + wd);
  for (size_t i = 0; i < m.clipped.size(); ++i) {
    const double c = std::min(w, m.o.clips[i]);
    m.clipped[i].add(c * row.reward);
    m.clipped_weights[i] += c;
  }
  for (size_t i = 0; i < m.switched.size(); ++i) m.switched[i].add(w <= m.o.switches[i] ? v + wd : v);
  for (size_t i = 0; i < m.shrunk.size(); ++i) {
    const double lambda = m.o.shrinkages[i];
    m.shrunk[i].add(v + lambda * w / (w * w + lambda) * d);
  }
  m.largest = std::max(m.largest, w);
  m.w += w;
  m.ww += w * w;
  m.wr += wr;
  m.wwr += w * wr;
  m.wwrr += wr * wr;
  m.wd += wd;
  m.v += v;
  m.vv += v * v;
  m.vwd += v * wd;
  m.vw += v * w;
  m.wdwd += wd * wd;
  m.wdw += wd * w;
}

OpeReport OffPolicy::report() const {
  const Impl& m = *impl_;
  PUNA_REQUIRE(m.estimating && m.estimated == m.rows, "%jd rows were counted and %jd estimated", m.rows, m.estimated);
  const auto n = double(m.rows);
  OpeReport r;
  r.rows = m.rows;
  r.contexts = m.contexts;
  r.actions = m.taken;
  r.rewarded = m.rewarded;
  r.log_value = m.log.mean;
  r.log_standard_error = m.log.standard_error();
  const auto add = [&](std::string name, double value, double error) {
    r.estimates.push_back({std::move(name), value, error});
  };
  add("dm", m.dm.mean, m.dm.standard_error());
  add("ips", m.ips.mean, m.ips.standard_error());
  for (size_t i = 0; i < m.clipped.size(); ++i)
    add(format("clipped_ips_%g", m.o.clips[i]), m.clipped[i].mean, m.clipped[i].standard_error());
  if (m.w > 0) {
    const double snips = m.wr / m.w;
    add("snips", snips, std::sqrt(std::max(0.0, m.wwrr - 2 * snips * m.wwr + snips * snips * m.ww)) / m.w);
    for (size_t i = 0; i < m.clipped.size(); ++i)
      add(format("clipped_snips_%g", m.o.clips[i]), m.clipped[i].mean * n / m.clipped_weights[i],
          m.clipped[i].standard_error() * n / m.clipped_weights[i]);
  }
  add("dr", m.dr.mean, m.dr.standard_error());
  if (m.w > 0) {
    // The influence of a row: V + (n / sum w) w (r - q - d), whose variance is a quadratic form of the sums.
    const double d = m.wd / m.w, s = n / m.w;
    const double square = m.vv + s * s * (m.wdwd - 2 * d * m.wdw + d * d * m.ww) + 2 * s * (m.vwd - d * m.vw);
    const double mean = m.v / n;
    add("sndr", m.dm.mean + d, m.rows > 1 ? std::sqrt(std::max(0.0, square - n * mean * mean) / (n - 1) / n) : 0);
  }
  for (size_t i = 0; i < m.switched.size(); ++i)
    add(format("switch_dr_tau%g", m.o.switches[i]), m.switched[i].mean, m.switched[i].standard_error());
  for (size_t i = 0; i < m.shrunk.size(); ++i)
    add(format("dros_lambda%g", m.o.shrinkages[i]), m.shrunk[i].mean, m.shrunk[i].standard_error());
  r.ess = m.ww > 0 ? m.w * m.w / m.ww : 0;
  r.largest_weight = m.largest;
  r.mean_weight = m.w / n;
  r.largest_share = m.w > 0 ? m.largest / m.w : 0;
  m.judge(r);
  return r;
}

}  // namespace puna::ads
