// A chat template is hostile input: whatever it does, an error comes back soon, with the line, and nothing is left
// behind.
#include <chrono>
#include <thread>

#include "puna/base/error.h"
#include "puna/chat/chat_template.h"
#include "support/catch.h"

using namespace puna;

namespace {

struct Failure {
  Status status = Status::ok;
  std::string message;
};

Failure failure_of(std::string_view source, std::string_view variables = "{}", const ChatTemplate::Limits& limits = {},
                   std::string_view now = {}) {
  try {
    const std::string text = ChatTemplate::parse(source, limits)->render(variables, now).text;
    return {Status::ok, text.substr(0, 100)};
  } catch (const Error& e) {
    return {e.status(), e.what()};
  }
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string repeat(std::string_view unit, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += unit;
  return out;
}

}  // namespace

TEST_CASE("errors have a status and name the template's line", "[chat]") {
  struct Case {
    const char* source;
    Status status;
    const char* message;
  };
  const Case c =
      GENERATE(Case{"a\nb\n{% if %}", Status::bad_file, "chat template line 3: "},
               Case{"a\n{{ 'x", Status::bad_file, "chat template line 2: a string is not closed"},
               Case{"{% for x in y %}\n\n", Status::bad_file,
                    "chat template line 2: unexpected end of template, expected 'endfor'"},
               Case{"\n{% nope %}", Status::bad_file, "chat template line 2: unknown tag 'nope'"},
               Case{"\n\n{{ 1|nope }}", Status::bad_file, "line 3: no filter named 'nope'"},
               Case{"\n{% include 'x' %}", Status::unsupported, "chat template line 2: the tag 'include'"},
               Case{"{{ 'x'.encode() }}", Status::unsupported, "chat template line 1: "},
               Case{"{{ 'a'|urlize }}", Status::unsupported, "chat template line 1: "},
               Case{"\n{{ raise_exception('No ' ~ 'way') }}", Status::invalid_argument, "chat template line 2: No way"},
               Case{"{{ x.y }}", Status::invalid_argument, "chat template line 1: 'x' is undefined"},
               Case{"{% set d = {} %}\n{{ d.a.b }}", Status::invalid_argument,
                    "chat template line 2: 'dict object' has no attribute 'a'"},
               Case{"{% macro m() %}\n{{ 1 + 'a' }}\n{% endmacro %}\n\n{{ m() }}", Status::invalid_argument,
                    "chat template line 2: unsupported operand"},
               Case{"{% macro m() %}\n{{ 1 }}\n{% endmacro %}\n\n{{ m() + 1 }}", Status::invalid_argument,
                    "chat template line 5: unsupported operand"},
               Case{"{{ 9223372036854775807 + 1 }}", Status::invalid_argument, "64-bit"},
               Case{"{{ 99999999999999999999 }}", Status::bad_file, "64-bit"},
               Case{"{{ -9223372036854775807 - 2 }}", Status::invalid_argument, "64-bit"},
               Case{"{{ 10 ** 30 }}", Status::invalid_argument, "64-bit"},
               Case{"{{ (-9223372036854775807 - 1) // -1 }}", Status::invalid_argument, "64-bit"},
               Case{"{{ -(-9223372036854775807 - 1) }}", Status::invalid_argument, "64-bit"},
               Case{"{{ (-9223372036854775807 - 1)|abs }}", Status::invalid_argument, "64-bit"},
               Case{"{{ ('9' * 30)|int }}", Status::invalid_argument, "64-bit"},
               Case{"{{ 1e300|int }}", Status::invalid_argument, "64-bit"},
               Case{"\xff", Status::bad_file, "chat template: not valid UTF-8"},
               Case{"{{ '\\ud800' }}", Status::bad_file, "is not a character"});
  CAPTURE(c.source);
  const Failure f = failure_of(c.source);
  CHECK(f.status == c.status);
  CHECK(has(f.message, c.message));
}

TEST_CASE("variables and the date are checked", "[chat]") {
  CHECK(failure_of("x", "[]").status == Status::invalid_argument);
  CHECK(failure_of("x", "{").status == Status::bad_file);
  CHECK(failure_of("x", R"({"a": 1, "a": 2})").status == Status::bad_file);
  for (const char* now :
       {"2025-02-29", "2025-13-01", "25-01-01", "2025/01/01", "0000-01-01", "2025-1-1x", "-025-01-01"}) {
    CAPTURE(now);
    CHECK(failure_of("x", "{}", {}, now).status == Status::invalid_argument);
  }
}

TEST_CASE("numbers of the variables print as Python prints them, whatever their size", "[chat]") {
  const std::string digits(400, '7');
  const std::string variables = R"({"a": 18446744073709551616, "b": -9223372036854775809, "c": )" + digits +
                                R"(, "d": 1e400, "e": [-1e999, 1e-999, 18446744073709551615], "s": "1e400"})";
  const auto render = [&](const char* source) { return failure_of(source, variables).message; };
  CHECK(render("{{ a }} {{ b }} {{ d }} {{ e }} {{ s }}") ==
        std::string("18446744073709551616 -9223372036854775809 inf [-inf, 0.0, 18446744073709551615] 1e400"));
  CHECK(ChatTemplate::parse("{{ c }}{{ c|tojson }}{{ '%d' % c }}{{ '{}'.format(c) }}{{ c|string }}")
            ->render(variables)
            .text == digits + digits + digits + digits + digits);
  CHECK(render("{{ a is number }}{{ a is integer }}{{ a is float }}{{ a == a }}{{ a > 5 }}{{ b < 5 }}{{ c > a }}{{ {a: "
               "1}[a] }}{{ a|float "
               "}}{{ b|abs }}") ==
        std::string("TrueTrueFalseTrueTrueTrueTrue11.8446744073709552e+199223372036854775809"));
  CHECK(render("{{ a + 1 }}").find("64-bit") != std::string::npos);
  CHECK(failure_of("x", "{\"a\": " + std::string(4301, '1') + "}").status == Status::bad_file);
}

TEST_CASE("the smallest integer goes wherever an integer goes", "[chat]") {  // Python's answer or an error
  const std::string low = "(-9223372036854775807 - 1)";
  const auto render = [&](std::string source) {
    for (size_t at; (at = source.find("LOW")) != source.npos;) source.replace(at, 3, low);
    return failure_of(source).message;
  };
  CHECK(render("{{ 5|round(LOW) }} {{ 5.5|round(LOW) }} {{ LOW|round(LOW) }}") == "0 0.0 0");
  CHECK(has(render("{{ 'abc'|truncate(LOW) }}"), "expected length >= 3, got -9223372036854775808"));
  CHECK(has(render("{{ 'abc'|truncate(3, true, '', LOW) }}"), "expected leeway >= 0"));
  CHECK(
      render("{{ 'a'.zfill(LOW) }}{{ 'a'.ljust(LOW) }}{{ 'a'.rjust(LOW) }}{{ 'a'.center(LOW) }}{{ 'a'|center(LOW) }}{{ "
             "'\ta'.expandtabs(LOW) }}") == "aaaaaa");
  CHECK(
      render("{{ 'abc'[LOW:] }}{{ 'abc'[::LOW] }}{{ [1, 2][LOW:] }}{{ [1, 2][::LOW] }}{{ range(5)[LOW::LOW]|list }}{{ "
             "range(5)[:LOW]|list }}") == "abcc[1, 2][2][][]");
  CHECK(render("{{ 'a\nb'|indent(LOW) }}{{ [1]|tojson(indent=LOW) }}{{ [1]|slice(LOW)|list }}") == "a\nb[\n1\n][]");
  CHECK(render("{{ 'abc'.find('c', LOW) }}{{ 'abc'.find('c', LOW, LOW) }}{{ 'abc'.startswith('a', LOW) }}{{ "
               "[1].index(1, LOW) }}") == "2-1True0");
  CHECK(render("{{ LOW % -1 }}{{ LOW % 7 }}{{ LOW // 1 }}{{ 'a' * LOW }}{{ [1] * LOW }}{{ LOW in range(3) }}{{ LOW is "
               "odd }}") == "06-9223372036854775808[]FalseFalse");
  CHECK(render("{{ '%d' % LOW }}{{ '%.3d' % LOW }}{{ '{:d}'.format(LOW) }}{{ '%x' % LOW }}") ==
        "-9223372036854775808-9223372036854775808-9223372036854775808-8000000000000000");
  for (const char* source : {"{{ -LOW }}", "{{ LOW|abs }}", "{{ LOW // -1 }}", "{{ LOW - 1 }}", "{{ LOW * 2 }}",
                             "{{ LOW ** 2 }}", "{{ [LOW, -1]|sum }}", "{{ '%*d' % (LOW, 1) }}", "{{ 1e300|int }}",
                             "{{ -1e300|int }}", "{{ 1e300|round(0, 'floor') }}", "{{ '9e99'|int }}",
                             "{{ '%d' % 1e300 }}", "{{ (1e308 * 10)|int }}", "{{ 5 * 10 ** 18 + 5 * 10 ** 18 }}"}) {
    CAPTURE(source);
    CHECK(has(render(source), "chat template line 1: "));
  }
  CHECK(render("{{ (1e308 * 10 - 1e308 * 10)|int }} {{ 'nan'|int(7) }} {{ 'inf'|int(7) }} {{ "
               "'-9223372036854775808'|int }}") == "0 7 7 -9223372036854775808");
  CHECK(render("{{ '%08.3d' % 5 }} {{ '%#.5x' % 255 }} {{ '%#10.5x' % 255 }}") ==
        "00000005 0x000ff    0x000ff");  // siblings: not Python's either
  CHECK(render("{{ -0.5|round(-1) }} {{ -4.5|round(-20) }}") == "-0.0 -0.0");
}

TEST_CASE("a template longer than a megabyte is refused, one of a megabyte is not", "[chat]") {
  const std::string unit = "{% if 0 %}{% endif %}";
  CHECK(failure_of(repeat(unit, 40000)).status == Status::ok);
  const Failure f = failure_of(repeat(unit, 2'000'000));
  CHECK(f.status == Status::bad_file);
  CHECK(has(f.message, "more than the 1048576"));
}

TEST_CASE("attacks on time, memory and stack end in an error within a moment", "[chat]") {
  const std::string source = GENERATE(
      as<std::string>(),
      // time
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{% for a in range(100000) %}{% for b in range(100000) if false %}{% endfor %}{% endfor %}",
      "{% for a in range(100000) %}{{ range(100000)|sum }}{% endfor %}",
      "{% for a in range(100000) %}{% set x = range(100000)|select('gt', 5)|list %}{% endfor %}",
      "{% for a in range(100000) %}{% set x = (99999 in range(100000)|list) %}{% endfor %}",
      "{% set s = 'a' * 1000000 %}{% for a in range(100000) %}{% set x = s|upper %}{% endfor %}",
      "{% set s = 'a' * 1000000 %}{% for a in range(100000) %}{% set x = s == s ~ 'b' %}{% endfor %}",
      "{% set s = 'é' * 1000000 %}{% for a in range(100000) %}{% set x = s[999999] %}{% endfor %}",
      "{% set s = 'é' * 1000000 %}{% for a in range(100000) %}{% set x = s.startswith('é', 999999) %}{% endfor %}",
      "{% set s = 'ab' * 1000000 %}{% for a in range(100000) %}{% set x = 'ba' in s %}{% set y = s.find('bb') %}{% set "
      "z = s.count('b') "
      "%}{% endfor %}",
      "{% set s = ' ' * 1000000 %}{% for a in range(100000) %}{% set x = s.split() %}{% set y = s.strip() %}{% endfor "
      "%}",
      "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(0) }}",
      "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
      // memory
      "{{ 'a' * 1000000000 }}", "{{ 1000000000 * 'ab' }}", "{{ ('a' * 1000000) * 1000000 }}", "{{ [1] * 1000000000 }}",
      "{{ [1] * 9223372036854775807 }}", "{{ 'a' * 9223372036854775807 }}", "{{ '%1000000000d' % 1 }}",
      "{{ '%.1000000000f' % 1.5 }}", "{{ '%*d' % (1000000000, 1) }}", "{{ '{:>1000000000}'.format('a') }}",
      "{{ '{:.1000000000f}'.format(1.5) }}", "{{ 'a'|center(1000000000) }}", "{{ 'a'.ljust(1000000000) }}",
      "{{ 'a'.zfill(1000000000) }}", "{{ 'a'|center(9223372036854775807) }}", "{{ 'a\nb'|indent(1000000000) }}",
      "{{ '\t'.expandtabs(1000000000) }}", "{{ [1]|tojson(indent=1000000000) }}",
      "{{ [1]|batch(1000000000, 'x')|list }}", "{{ [1]|slice(1000000000)|list }}", "{{ range(1000000000) }}",
      "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}", "{{ ('a' * 1000000).replace('', 'b' * 1000) }}",
      "{{ ('x' * 1000000).join(['a'] * 1000) }}", "{{ (['x' * 1000000] * 1000)|join }}",
      "{{ '{0}{0}{0}{0}{0}{0}{0}{0}'.format('a' * 10000000) }}", "{{ '%s%s%s%s%s%s%s%s' % (('a' * 10000000,) * 8) }}",
      "{{ [['a' * 1000000] * 1000]|string }}", "{{ [['a' * 1000000] * 1000]|tojson }}",
      "{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
      "{% set ns = namespace(s=['ab']) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = [ns.s, ns.s]|string %}{% endfor %}",
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = ns.l + ['a' * 10000 ~ i] %}{% endfor %}",
      "{% for i in range(100000) %}{{ 'a' * 10000 }}{% endfor %}",
      "{% for i in range(100000) %}{% for j in range(1000) %}{% set n = namespace(a=i) %}{% endfor %}{% endfor %}",
      "{% set x %}{% for i in range(100000) %}{{ 'a' * 10000 }}{% endfor %}{% endset %}",
      // a value that holds itself many times over
      "{% set ns = namespace(t=()) %}{% for i in range(100) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ {ns.t: 1} }}",
      "{% set ns = namespace(t=()) %}{% for i in range(100) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ ns.t in {} "
      "}}",
      "{% set ns = namespace(t=()) %}{% for i in range(100) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ {}[ns.t] }}",
      "{% set ns = namespace(t=([],)) %}{% for i in range(100) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ "
      "{}.get(ns.t) }}",
      "{% set ns = namespace(t=()) %}{% for i in range(100) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ "
      "[ns.t]|unique|list }}",
      "{% set ns = namespace(t=[]) %}{% for i in range(100) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t }}",
      "{% set ns = namespace(t=[]) %}{% for i in range(100) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t|tojson "
      "}}",
      "{% set ns = namespace(t=[], u=[]) %}{% for i in range(100) %}{% set ns.t = [ns.t, ns.t] %}{% set ns.u = [ns.u, "
      "ns.u] %}{% endfor "
      "%}{{ ns.t == ns.u }}",
      "{% set t = ('a' * 1000000,) %}{% for i in range(100000) %}{% set x = t in {} %}{% endfor %}",
      "{{ ('\\x01' * 60000000)|tojson }}", "{{ ['\\x01' * 60000000] }}", "{{ ('<' * 60000000)|e }}",
      // stack
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}",
      "{% set ns = namespace(l={}) %}{% for i in range(100000) %}{% set ns.l = {'a': ns.l} %}{% endfor %}",
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = ns.l|map('string') %}{% endfor %}",
      "{% set ns = namespace(l='a') %}{% for i in range(100000) %}{% set ns.l = cycler(ns.l) %}{% endfor %}",
      "{% set ns = namespace(l='a') %}{% for i in range(100000) %}{% set ns.l = joiner(ns.l) %}{% endfor %}",
      "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
      "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a }}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}",
      "{% macro f() %}{{ caller() }}{% endmacro %}{% call f() %}{% call f() %}{{ caller() }}{% endcall %}{% endcall %}",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      "{{ " + repeat("(", 100000) + "1" + repeat(")", 100000) + " }}", "{{ " + repeat("[", 100000),
      "{{ " + repeat("not ", 100000) + "1 }}", "{{ " + repeat("-", 100000) + "1 }}",
      "{{ 1" + repeat("+1", 100000) + " }}", "{{ 1" + repeat("|abs", 100000) + " }}",
      "{{ x" + repeat(".a", 100000) + " }}", "{{ x" + repeat("()", 100000) + " }}",
      "{{ x" + repeat("[0]", 100000) + " }}", "{{ 1" + repeat(" if 1 else 1", 100000) + " }}",
      "{{ 1" + repeat(" and 1", 100000) + " }}", "{{ 1" + repeat(" ** 1", 100000) + " }}",
      "{{ 1" + repeat(" is odd", 100000) + " }}", repeat("{% if 1 %}", 100000), repeat("{% for a in b %}", 100000),
      "{% set " + repeat("(", 100000) + "a", "{{ '" + repeat("{a:", 100000) + "'.format(a=1) }}",
      "{% set x = 1" + repeat(" < 1", 100000) + " %}{{ " + repeat("{", 5000));
  CAPTURE(source.substr(0, 200));
  const auto start = std::chrono::steady_clock::now();
  const Failure f = failure_of(source);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  CHECK(f.status != Status::ok);
  CHECK(f.status != Status::internal);
  CHECK(f.message.starts_with("chat template line "));
  CHECK(seconds < 20);  // under a second unsanitized
}

TEST_CASE("templates within the limits are not refused", "[chat]") {
  CHECK(failure_of("{{ 1" + repeat(" ~ 1", 5000) + " }}").status == Status::ok);
  CHECK(failure_of("{{ 1" + repeat("+1", 150) + " }}").message == "151");
  CHECK(failure_of(repeat("{% if 1 %}", 90) + "x" + repeat("{% endif %}", 90)).message == "x");
  CHECK(failure_of("{% if 0 %}" + repeat("{% elif 0 %}", 5000) + "{% else %}x{% endif %}").message == "x");
  CHECK(failure_of("{% macro f(n) %}{% if n %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(20) }}").status ==
        Status::ok);
  std::string text(1 << 20, 'x');
  CHECK(ChatTemplate::parse("{% for m in messages %}{{ '<' + m + '>' }}{% endfor %}")
            ->render(R"({"messages": [")" + text + R"("]})")
            .text == "<" + text + ">");
}

TEST_CASE("limits given by the caller hold", "[chat]") {
  ChatTemplate::Limits limits;
  limits.steps = 300;
  limits.depth = 10;
  limits.output_bytes = 1000;
  CHECK(failure_of("{% for i in range(10) %}{{ i }}{% endfor %}", "{}", limits).status == Status::ok);
  CHECK(has(failure_of("{% for i in range(1000) %}{{ i }}{% endfor %}", "{}", limits).message, "300 steps"));
  CHECK(has(failure_of("{{ 'a' * 1001 }}", "{}", limits).message, "1000 bytes"));
  CHECK(has(failure_of("{{ 'a' * 600 }}{{ 'b' * 600 }}", "{}", limits).message, "1000 bytes"));
  CHECK(has(failure_of("{{ [[[[[[[[[[[1]]]]]]]]]]] }}", "{}", limits).message, "deeper than 10"));
}

TEST_CASE("values that refer to themselves are freed", "[chat]") {  // by the leak sanitizer
  const char* source = GENERATE(
      "{% set ns = namespace() %}{% set ns.a = [ns, {'b': ns}] %}{{ ns.a|length }}",
      "{% set ns = namespace() %}{% macro m() %}{{ ns.m is defined }}{% endmacro %}{% set ns.m = m %}{{ m() }}",
      "{% set ns = namespace() %}{% for i in [1, 2] %}{% set ns.l = loop %}{% set q = loop.changed(loop) %}{% macro "
      "k() %}{{ loop "
      "}}{% endmacro %}{% set ns.k = k %}{% endfor %}x",
      "{% set ns = namespace() %}{% set ns.g = [ns, ns]|map('string') %}x",
      "{% set ns = namespace() %}{% for i in [ns] %}{% set ns.c = cycler(ns, i) %}{% set ns.n = ns.c.next %}{% endfor "
      "%}x",
      "{% macro box() %}{{ caller() }}{% endmacro %}{% call box() %}{% set me = caller %}x{% endcall %}",
      "{% set ns = namespace() %}{% set ns.f = ns %}{% for i in range(3) %}{% set ns.x = loop.cycle %}{% endfor %}{{ 1 "
      "/ 0 }}");
  CHECK_NOTHROW(failure_of(source));
}

TEST_CASE("one template renders on many threads", "[chat]") {
  const auto chat = ChatTemplate::parse(
      "{% macro m(x) %}[{{ x|upper }}]{% endmacro %}{% set ns = namespace(n=0) %}{% for i in range(50) %}{% set ns.n = "
      "ns.n + i %}{{ m('é' "
      "~ i) }}{% endfor %}{{ ns.n }}{{ {'a': [1, 2.5]}|tojson }}");
  const std::string want = chat->render("{}").text;
  std::vector<std::string> got(4);
  std::vector<std::thread> threads;
  for (std::string& out : got)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) out = chat->render("{}").text;
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& out : got) CHECK(out == want);
}
