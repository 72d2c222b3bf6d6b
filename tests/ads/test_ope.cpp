// Off-policy evaluation: every estimator equals its formula written out, the published table is met, and logs that
// cannot carry a conclusion are refused.
#include <cmath>
#include <functional>

#include "ads/ope_log.h"
#include "ads/rows.h"
#include "ads/world_files.h"
#include "base/normals.h"
#include "base/os.h"
#include "puna/ads/ope.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/status.h"

using namespace puna;
using namespace puna::ads;
using namespace puna::test;

namespace {

double of(const OpeReport& r, const std::string& name, bool error = false) {
  for (const Estimate& e : r.estimates)
    if (e.name == name) return error ? e.standard_error : e.value;
  FAIL("no estimate is called " << name);
  return 0;
}

bool near(double got, double want) { return std::fabs(got - want) <= 1e-9 * std::fabs(want); }

struct Log {
  std::vector<LoggedChoice> rows;
  std::vector<double> policy;  // [contexts][actions]
};

Log drawn_log(uint64_t seed, int32_t contexts, int32_t actions, int rows) {
  Normals n(seed, 1);
  Log log;
  std::vector<double> logging, rate;
  for (int32_t x = 0; x < contexts; ++x)
    for (std::vector<double>* table : {&logging, &log.policy}) {
      double sum = 0;
      const size_t from = table->size();
      for (int32_t a = 0; a < actions; ++a) table->push_back(0.1 + n.uniform()), sum += table->back();
      for (size_t i = from; i < table->size(); ++i) (*table)[i] /= sum;
    }
  for (int32_t i = 0; i < contexts * actions; ++i) rate.push_back(0.5 * n.uniform());
  for (int i = 0; i < rows; ++i) {
    const auto x = int32_t(n.uniform() * contexts);
    double u = n.uniform();
    int32_t a = 0;
    while (a < actions - 1 && (u -= logging[size_t(x * actions + a)]) >= 0) ++a;
    log.rows.push_back({.context = x,
                        .action = a,
                        .propensity = logging[size_t(x * actions + a)],
                        .reward = n.uniform() < rate[size_t(x * actions + a)] ? 1.0 : 0.0});
  }
  return log;
}

OpeReport evaluated(const Log& log, const std::vector<double>* policy) {
  OffPolicy e({});
  for (const LoggedChoice& r : log.rows) e.count(r);
  e.begin_estimates(policy);
  for (const LoggedChoice& r : log.rows) e.estimate(r);
  return e.report();
}

LogReport evaluated(const std::string& text, const TextFile* policy = nullptr, LogColumns columns = {}) {
  return evaluate_log({.text = text, .name = "log.csv"}, columns, policy, {}, Watch());
}

std::string message(const std::string& text, const TextFile* policy = nullptr) {
  return message_of([&] { evaluated(text, policy); });
}

}  // namespace

TEST_CASE("estimators are their formulas", "[ads]") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const int32_t contexts = 4, actions = 5;
    const Log log = drawn_log(seed, contexts, actions, 4000);
    const OpeReport r = evaluated(log, &log.policy);
    const auto n = (long double)log.rows.size();
    std::vector<long double> shown(20), clicks(20), q(20), value(4);
    long double mean = 0;
    for (const LoggedChoice& c : log.rows) {
      shown[size_t(c.context * actions + c.action)] += 1;
      clicks[size_t(c.context * actions + c.action)] += c.reward;
      mean += c.reward / n;
    }
    for (size_t i = 0; i < 20; ++i) {
      q[i] = (clicks[i] + 50 * mean) / (shown[i] + 50);
      value[i / 5] += log.policy[i] * q[i];
    }
    const auto average =
        [&](const std::function<long double(long double v, long double w, long double r, long double q)>& f) {
          long double sum = 0, squares = 0;
          std::vector<long double> terms;
          for (const LoggedChoice& c : log.rows) {
            const size_t i = size_t(c.context * actions + c.action);
            terms.push_back(f(value[size_t(c.context)], log.policy[i] / c.propensity, c.reward, q[i]));
            sum += terms.back();
          }
          for (const long double t : terms) squares += (t - sum / n) * (t - sum / n);
          return std::pair<double, double>(double(sum / n), double(std::sqrt(squares / (n - 1) / n)));
        };
    using L = long double;
    const auto check = [&](const char* name, std::pair<double, double> want) {
      CAPTURE(name, of(r, name), want.first, of(r, name, true), want.second);
      CHECK(near(of(r, name), want.first));
      CHECK(near(of(r, name, true), want.second));
    };
    check("dm", average([](L v, L, L, L) { return v; }));
    check("ips", average([](L, L w, L y, L) { return w * y; }));
    check("clipped_ips_20", average([](L, L w, L y, L) { return std::min(w, L(20)) * y; }));
    check("dr", average([](L v, L w, L y, L m) { return v + w * (y - m); }));
    check("switch_dr_tau1", average([](L v, L w, L y, L m) { return v + (w <= 1 ? w * (y - m) : 0); }));
    check("dros_lambda10", average([](L v, L w, L y, L m) { return v + 10 * w / (w * w + 10) * (y - m); }));
    const double w = average([](L, L v, L, L) { return v; }).first,
                 wr = average([](L, L v, L y, L) { return v * y; }).first,
                 wd = average([](L, L v, L y, L m) { return v * (y - m); }).first,
                 v = average([](L x, L, L, L) { return x; }).first;
    CHECK(near(of(r, "snips"), wr / w));
    CHECK(near(of(r, "sndr"), v + wd / w));
    const double snips = wr / w, ww = average([](L, L x, L, L) { return x * x; }).first;
    const double errors = average([&](L, L x, L y, L) { return x * x * (y - snips) * (y - snips); }).first;
    CHECK(near(of(r, "snips", true), std::sqrt(errors * double(n)) / (w * double(n))));
    CHECK(near(of(r, "sndr", true), average([&](L x, L y, L z, L m) { return x + y * (z - m - wd / w) / w; }).second));
    CHECK(near(r.ess, w * w / ww * double(n)));
    CHECK(near(r.mean_weight, w));
    CHECK(r.refusals.empty());
    CHECK(std::fabs(of(r, "dr") - of(r, "ips")) <= 5 * of(r, "ips", true));  // both are unbiased
  }
}

TEST_CASE("the published table of the Open Bandit Dataset is met", "[ads]") {
  struct Row {
    const char* name;
    double all, men, women;
  };
  constexpr Row kTable[] = {
      {"ips", 0.0023596395169, 0.0030086263273, 0.0074375775419},
      {"snips", 0.0023337138932, 0.0031894231623, 0.0023730461434},
      {"clipped_snips_20", 0.0028114621149, 0.0034896284479, 0.0065337503502},
      {"dm", 0.0041979334427, 0.0062652633994, 0.0044498508692},
      {"dr", 0.002670495331, 0.0030958418959, -0.00051542197921},
      {"sndr", 0.0026872774646, 0.0029053824256, 0.0028656224672},
      {"switch_dr_tau1", 0.0042670227376, 0.0059596724079, 0.00449832071},
      {"switch_dr_tau5", 0.0038850841634, 0.0059548238767, 0.0040898020558},
      {"switch_dr_tau20", 0.0036238329602, 0.0043476302622, 0.0048949942625},
      {"dros_lambda10", 0.0041344760496, 0.0056348017343, 0.0044025579836},
  };
  const char* const names[] = {"all", "men", "women"};
  for (int which = 0; which < 3; ++which) {
    const std::string path = model_file(std::string("obd/bts/") + names[which] + ".csv");
    if (path.empty()) PUNA_SKIP("the Open Bandit Dataset (cmake/fetch_models.py obd)");
    const os::MappedFile file(path);
    const LogReport r =
        evaluate_log({.text = {reinterpret_cast<const char*>(file.data()), size_t(file.size())}, .name = path}, {},
                     nullptr, {}, Watch());
    const auto pick = [&](double all, double men, double women) { return which == 0 ? all : which == 1 ? men : women; };
    for (const Row& row : kTable) {
      CAPTURE(row.name, names[which], of(r, row.name));
      CHECK(near(of(r, row.name), pick(row.all, row.men, row.women)));
    }
    CHECK(near(of(r, "ips", true), pick(0.00087102207235, 0.00077393546289, 0.0041183611443)));
    CHECK(near(of(r, "snips", true), pick(0.00086896757959, 0.00082782311419, 0.002104527376)));
    CHECK(near(of(r, "dr", true), pick(0.00087903475112, 0.00083684261712, 0.0092713999376)));
    CHECK(near(r.ess, pick(340.37834113, 655.70984959, 2.0778226925)));
    CHECK(near(r.largest_weight, pick(277.77777778, 178.25311943, 21739.130435)));
    CHECK(near(r.mean_weight, pick(1.0111091697, 0.94331362575, 3.1341900209)));
    CHECK(near(r.log_value, pick(0.0042, 0.0069, 0.0046)));
    CHECK(r.refusals.empty() == (which != 2));
  }
}

TEST_CASE("what a log cannot carry is refused, and it says what to log", "[ads]") {
  const auto refused = [](const LogReport& r, const char* word) {
    for (const std::string& why : r.refusals)
      if (why.find(word) != std::string::npos) return true;
    return false;
  };
  std::string even = "action,reward,propensity\n", none = "action,reward\n", zero = even, wrong = even, rare = even;
  for (int i = 0; i < 400; ++i) {
    const std::string action = i % 2 ? "a" : "b", reward = i % 3 ? "0" : "1";
    even += action + "," + reward + ",0.5\n";
    none += action + "," + reward + "\n";
    zero += action + "," + reward + (i == 7 ? ",0\n" : ",0.5\n");
    wrong += action + "," + reward + ",0.25\n";
    rare += i == 5 ? "b," + reward + ",0.00002\n" : "a," + reward + ",0.99998\n";
  }
  CHECK(evaluated(even).refusals.empty());
  CHECK(evaluated(even).worst_action_name.empty());
  CHECK(refused(evaluated(none), "have no propensity"));
  CHECK(refused(evaluated(zero), "1 of 400 rows have no propensity"));
  CHECK(refused(evaluated(wrong), "mean weight is 2"));
  CHECK(refused(evaluated(rare), "effective sample size"));
  const TextFile other{.text = "action,probability\na,0.5\nc,0.5\n", .name = "policy.csv"};
  CHECK(message(even, &other).find("policy.csv, line 3, column 'action': the log never took action 'c'") == 0);
  // Support, by the interface without names: action 1 was never taken.
  OffPolicy e({});
  e.count({.context = 0, .action = 0, .propensity = 0.5, .reward = 1});
  e.count({.context = 0, .action = 2, .propensity = 0.5, .reward = 0});
  const std::vector<double> policy{0.2, 0.4, 0.4};
  e.begin_estimates(&policy);
  e.estimate({.context = 0, .action = 0, .propensity = 0.5, .reward = 1});
  CHECK(status_of([&] { e.report(); }) == Status::invalid_argument);  // a row is missing
  e.estimate({.context = 0, .action = 2, .propensity = 0.5, .reward = 0});
  const OpeReport r = e.report();
  REQUIRE(!r.refusals.empty());
  CHECK(r.refusals[0].find("never took") != std::string::npos);
  CHECK(r.warnings.size() >= 1);  // fewer than 30 rewards
}

TEST_CASE("a policy is a table by context, and names are matched", "[ads]") {
  std::string log = "segment;variant;clicked;pscore;hour\n";
  for (int i = 0; i < 600; ++i)
    log += std::string(i % 3 ? "\"young; and old\"" : "other") + ";" + std::to_string(i % 4) + ";" +
           (i % 5 ? "0" : "1") + ";0.25;" + std::to_string(i % 4) + "\n";
  const TextFile policy{
      .text = "context,action,probability\n\"young; and old\",0,1\nother,1,0.5\nother,2,0.5\nnever,3,1\n",
      .name = "p.csv"};
  const LogReport r = evaluated(log, &policy);
  CHECK(r.contexts == 2);
  CHECK(r.actions == 4);
  CHECK(std::fabs(r.mean_weight - 1) < 0.02);
  const TextFile off{.text = "context,action,probability\nother,1,0.4\n", .name = "p.csv"};
  CHECK(message(log, &off).find("add up to") != std::string::npos);
  const TextFile twice{.text = "action,probability\n1,0.4\n1,0.6\n", .name = "p.csv"};
  CHECK(message(log, &twice).find("p.csv, line 3: a second probability") == 0);
  LogColumns columns;
  columns.context = "segment,hour";
  CHECK(evaluated(log, nullptr, columns).contexts == 8);
  columns.context = "segmnt";
  CHECK(message_of([&] { evaluated(log, nullptr, columns); }).find("did you mean 'segment'") != std::string::npos);
}

TEST_CASE("rows that are wrong are errors with line and column", "[ads]") {
  const std::string head = "action,reward,propensity\n";
  CHECK(message("").find("expected a first line") != std::string::npos);
  CHECK(message(head).find("no rows") != std::string::npos);
  CHECK(message("action,action\n").find("line 1: there are two columns 'action'") != std::string::npos);
  CHECK(message(head + "a,1,0.5\na,x,0.5\n").find("log.csv, line 3, column 'reward': 'x' is not a number") == 0);
  CHECK(message(head + "a,nan,0.5\n").find("line 2, column 'reward'") != std::string::npos);
  CHECK(message(head + "a,1e300,0.5\n").find("line 2, column 'reward'") != std::string::npos);
  CHECK(message(head + "a,1,1.5\n").find("line 2, column 'propensity'") != std::string::npos);
  CHECK(message(head + "a,1,-0.5\n").find("line 2, column 'propensity'") != std::string::npos);
  CHECK(message(head + "a,1\n").find("line 2: 2 fields, expected 3") != std::string::npos);
  CHECK(message(head + "\"a,1,1\n").find("line 2, column 1: a quote opens") != std::string::npos);
  CHECK(message(head + "\"a\"b,1,1\n").find("line 2, column 1: something follows") != std::string::npos);
  CHECK(message(head + "a\xff,1,1\n").find("line 2: byte 0xff") != std::string::npos);
  CHECK(message(head + std::string("a\0,1,1\n", 7)).find("line 2: byte 0x00") != std::string::npos);
  CHECK(message(head + std::string(2 << 20, 'a')).find("line 2: the line has more than 1048576 bytes") !=
        std::string::npos);
  CHECK(message("reward,propensity\n1,1\n").find("no column 'action'") != std::string::npos);
}

TEST_CASE("of two columns that could be meant none is picked, and what is not looked at is said", "[ads]") {
  CHECK(message("action,reward,click,propensity\na,1,0,1\n") ==
        "log.csv, line 1: the columns 'reward' and 'click' could both be meant: --reward says which");
  CHECK(message("variant,item_id,reward,propensity\na,a,1,1\n").find("'item_id' and 'variant'") != std::string::npos);
  CHECK(message("action,reward,p,pscore\na,1,1,1\n").find("--propensity says which") != std::string::npos);
  CHECK(message("action,reward,p,segment,position\na,1,1,s,1\n").find("--context says which") != std::string::npos);
  const LogReport named = evaluated("action,reward,click,propensity,day\na,1,0,1,7\n", nullptr, {.reward = "click"});
  CHECK(named.columns == "action 'action', reward 'click', propensity 'propensity'; not looked at: 'reward', 'day'");
  const TextFile policy{.text = "action,probability,contxt\na,1,s\n", .name = "p.csv"};
  CHECK(message("action,reward,p\na,1,1\n", &policy) ==
        "p.csv, line 1, column 3: 'contxt' is not used here, did you mean 'context'?");
}

TEST_CASE("a column has one role", "[ads]") {
  const std::string log = "action,reward,propensity,day\na,1,1,7\n";
  const auto said = [&](LogColumns columns) { return message_of([&] { evaluated(log, nullptr, columns); }); };
  CHECK(said({.reward = "propensity"}) ==
        "log.csv, line 1: the column 'propensity' is both --reward and --propensity, expected one of them");
  CHECK(said({.reward = "action"}).find("both --action and --reward") != std::string::npos);
  CHECK(said({.context = "day,reward"}).find("both --reward and --context") != std::string::npos);
  CHECK(said({.context = "day,day"}).find("both --context and --context") != std::string::npos);
  CHECK(said({.context = "day"}).empty());
}

TEST_CASE("days, worlds and streams are read, or refused with their place", "[ads]") {
  const auto text = [](const std::string& t) { return TextFile{.text = t, .name = "f"}; };
  const std::string day = "t,hour,value,price\n0,0,1.5,0.25\n1,13.5,2,1e-6\n";
  const auto auctions = read_auctions(text(day));
  REQUIRE(auctions.size() == 2);
  CHECK(auctions[1].at == 13.5 / 24);
  CHECK(auctions[0].value == 1'500'000);
  CHECK(auctions[1].price == 1);
  const auto auctions_error = [&](const std::string& t) { return message_of([&] { read_auctions(text(t)); }); };
  CHECK(auctions_error(day + "2,13,1,1\n").find("f, line 4, column 'hour'") == 0);
  CHECK(auctions_error(day + "2,24,1,1\n").find("f, line 4, column 'hour'") == 0);
  CHECK(auctions_error(day + "2,14,-1,1\n").find("f, line 4, column 'value'") == 0);
  CHECK(auctions_error(day + "2,14,1,1e9\n").find("f, line 4, column 'price'") == 0);
  CHECK(auctions_error("hour,value\n").find("no column 'price'") != std::string::npos);
  const std::string json = R"({"p": [[0.1, 0.2], [0.3, 0.4]], "segments": ["a", "b"]})";
  const NamedWorld world = read_world(text(json));
  CHECK(world.world.segments == 2);
  CHECK(world.world.variants == 2);
  CHECK(world.world.p[2] == 0.3);
  const auto world_error = [&](const std::string& t) { return message_of([&] { read_world(text(t)); }); };
  CHECK(world_error(R"({"p": [[0.1], [0.3, 0.4]]})").find("world.p[1]") != std::string::npos);
  CHECK(world_error(R"({"p": [[0.1, 2]]})").find("world.p[0][1]") != std::string::npos);
  CHECK(world_error(R"({"p": [[0.1]], "rates": [[0]]})").find("world.rates[0][0]") != std::string::npos);
  CHECK(world_error(R"({"p": [[0.1]], "q": 1})").find("q") != std::string::npos);
  CHECK(world_error("{\"p\": [[0.1").find("f") != std::string::npos);
  CHECK(world_error(R"({"p": [[0.1], [0.1]], "segments": ["a", "a"]})").find("segments[1]") != std::string::npos);
  const auto stream = read_stream(text("segment,u\na,0.5\n1,0\n"), world);
  REQUIRE(stream.size() == 2);
  CHECK(stream[0].segment == 0);
  CHECK(stream[1].segment == 1);
  const auto stream_error = [&](const std::string& t) { return message_of([&] { read_stream(text(t), world); }); };
  CHECK(stream_error("segment,u\nc,0.5\n").find("f, line 2, column 'segment': the world has no segment 'c'") == 0);
  CHECK(stream_error("segment,u\n2,0.5\n").find("f, line 2, column 'segment'") == 0);
  CHECK(stream_error("segment,u\n1,1.5\n").find("f, line 2, column 'u'") == 0);
  CHECK(stream_error("segment,u\n").find("no impressions") != std::string::npos);
}
