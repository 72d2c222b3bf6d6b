// What a template renders and what the caller's variables brought into it are told apart, byte by byte: what a user
// writes never becomes a part of the template's own text, whatever the template does with it.
#include <nlohmann/json.hpp>
#include <set>

#include "chat/golden_chats.h"
#include "puna/base/error.h"
#include "puna/chat/chat_template.h"

using namespace puna;
using namespace puna::test;

namespace {

RenderedChat render(std::string_view source, const ordered_json& variables, const ChatTemplate::Texts& otherwise = {}) {
  const RenderedChat chat = ChatTemplate::parse(source)->render(variables.dump(), "2025-08-05", Watch(), otherwise);
  size_t end = 0;
  for (const TextSpan& s : chat.content) {  // sorted, disjoint, none empty
    REQUIRE(s.begin < s.end);
    REQUIRE((s.begin > end || (s.begin == 0 && end == 0)));
    end = s.end;
  }
  REQUIRE(end <= chat.text.size());
  return chat;
}

// The text with its content in brackets.
std::string shown(const RenderedChat& chat) {
  std::string out;
  size_t at = 0;
  for (const TextSpan& s : chat.content) {
    out += chat.text.substr(at, s.begin - at) + "[" + chat.text.substr(s.begin, s.end - s.begin) + "]";
    at = s.end;
  }
  return out + chat.text.substr(at);
}

// What the template wrote, with a bar for each stretch of content.
std::string without_content(const RenderedChat& chat) {
  std::string out;
  size_t at = 0;
  for (const TextSpan& s : chat.content) {
    out += chat.text.substr(at, s.begin - at) + "|";
    at = s.end;
  }
  return out + chat.text.substr(at);
}

bool is_private(std::string_view s, size_t i) {  // U+E000 to U+F8FF
  return uint8_t(s[i]) == 0xee || (uint8_t(s[i]) == 0xef && i + 1 < s.size() && uint8_t(s[i + 1]) < 0xa4);
}

// ---- the families

ordered_json variables_of(const ordered_json& c) {
  ordered_json v = {{"messages", c["messages"]}, {"add_generation_prompt", c.value("add_generation_prompt", false)}};
  if (c.contains("tools")) v["tools"] = c["tools"];
  if (c.contains("kwargs"))
    for (const auto& [key, value] : c["kwargs"].items()) v[key] = value;
  return v;
}

// Every text that a user or a tool says becomes what `make` makes of its number. Texts that templates ask for (roles,
// types) stay.
void replace_texts(ordered_json& j, const std::function<std::string(int)>& make, int& n, bool said = false) {
  if (j.is_object()) {
    for (auto& [key, value] : j.items()) {
      static const std::set<std::string> kSaid = {
          "content", "text", "reasoning_content", "thinking", "description", "name",
          "query",   "city", "arguments",         "response"};
      replace_texts(value, make, n, kSaid.count(key) > 0 || (said && key != "type" && key != "role"));
    }
  } else if (j.is_array()) {
    for (auto& item : j) replace_texts(item, make, n, said);
  } else if (j.is_string() && said) {
    j = make(n++);
  }
}

std::string utf8(int c) { return {char(0xe0 | (c >> 12)), char(0x80 | ((c >> 6) & 0x3f)), char(0x80 | (c & 0x3f))}; }

// Tools, documents and options print more than what is said: all of their JSON is content.
bool has_structure(const ordered_json& v) {
  for (const auto& [key, value] : v.items())
    if (key != "messages" && !value.is_null() && !value.is_boolean()) return true;
  return v["messages"].dump().find("tool") != std::string::npos;
}

}  // namespace

TEST_CASE("every family's template renders every golden dialog as transformers does", "[chat][golden]") {
  for (const Family& f : families())
    for (const ordered_json& c : f.cases) {
      CAPTURE(f.name, c.value("name", ""));
      try {
        const std::string text = render(f.source, variables_of(c), f.specials).text;
        if (c.contains("raises")) FAIL_CHECK("rendered '" << text << "'");
        if (!c.contains("raises")) CHECK(text == c["text"].get<std::string>());
      } catch (const Error& e) {
        CAPTURE(e.what());
        CHECK(c.contains("raises"));
      }
    }
}

TEST_CASE("the messages' text is content in every family's template, to the byte, and nothing else is",
          "[chat][golden]") {
  int exact = 0;
  for (const Family& f : families())
    for (const ordered_json& c : f.cases) {
      if (c.contains("raises")) continue;
      CAPTURE(f.name, c.value("name", ""));
      ordered_json variables = variables_of(c);
      int n = 0;
      replace_texts(
          variables, [](int i) { return utf8(0xe000 + 3 * i) + utf8(0xe001 + 3 * i) + utf8(0xe002 + 3 * i); }, n);
      std::optional<RenderedChat> chat;
      try {
        chat = render(f.source, variables, f.specials);
      } catch (const Error&) {
        continue;
      }  // refuses a name or a tool's answer that is no JSON
      std::vector<bool> content(chat->text.size());
      for (const TextSpan& s : chat->content)
        std::fill(content.begin() + ptrdiff_t(s.begin), content.begin() + ptrdiff_t(s.end), true);
      const bool strict = !has_structure(variables);  // tools and documents print all of their JSON
      exact += strict && n > 0;
      CAPTURE(shown(*chat));
      for (size_t i = 0; i < content.size(); ++i) {
        if ((uint8_t(chat->text[i]) & 0xc0) == 0x80) continue;
        const bool said = is_private(chat->text, i);
        if (said && !(content[i] && content[i + 1] && content[i + 2])) FAIL_CHECK("byte " << i << " is content");
        if (!said && strict && content[i]) FAIL_CHECK("byte " << i << " is the template's");
      }
    }
  CHECK(exact >= 20);
}

TEST_CASE("special tokens in messages stay content in every family's template", "[chat][golden]") {
  for (const Family& f : families()) {
    std::set<std::string> specials;  // as the template itself writes them
    const std::regex token(R"(<[^<>\s'"{}]+>|\[/?[A-Z_]+\])");
    for (std::sregex_iterator at(f.source.begin(), f.source.end(), token), end; at != end; ++at)
      specials.insert(at->str());
    std::string all;
    for (const std::string& s : specials) all += s + "\n";
    // Whole, split over the edges of the message, as JSON, and what templates split at, strip and trim.
    const std::string first = specials.empty() ? "<s>" : *specials.begin();
    for (const std::string& said :
         {all, first.substr(1) + "x" + first.substr(0, first.size() - 1), "\"" + all + "\\", " \n" + first + " \n",
          "</think>" + first + "</think>", "<think>" + all + "</think>" + all, std::string("|>")}) {
      for (const ordered_json& c : f.cases) {
        if (c.contains("raises")) continue;
        CAPTURE(f.name, c.value("name", ""), said);
        // The same dialog twice, with other letters around what is said: what the template writes may not depend on
        // them.
        const auto chat_with = [&](int letter) -> std::optional<RenderedChat> {
          ordered_json variables = variables_of(c);
          int n = 0;
          const std::string mark = utf8(letter);
          replace_texts(
              variables, [&](int i) { return i % 2 ? mark + said + mark : said + mark + said; }, n);
          try {
            return render(f.source, variables, f.specials);
          } catch (const Error&) {
            return std::nullopt;
          }
        };
        const auto a = chat_with(0xe000), b = chat_with(0xe001);
        REQUIRE(a.has_value() == b.has_value());
        if (!a) continue;
        CHECK(without_content(*a) == without_content(*b));
        CHECK(without_content(*a).find(utf8(0xe000)) == std::string::npos);
        // Without structured data there are as many tokens of the template's as in the dialog with harmless texts.
        if (has_structure(variables_of(c)) || said.find("think") != std::string::npos ||
            f.source.find(said) != std::string::npos)
          continue;
        ordered_json harmless = variables_of(c);
        int n = 0;
        replace_texts(
            harmless, [&](int) { return "x" + utf8(0xe000) + "x"; }, n);
        const auto count = [&](const std::string& text) {
          return std::distance(std::sregex_iterator(text.begin(), text.end(), token), std::sregex_iterator());
        };
        CHECK(count(without_content(*a)) <= count(without_content(render(f.source, harmless, f.specials))));
      }
    }
  }
}

TEST_CASE("each operation keeps what is content", "[chat]") {
  struct Case {
    const char* source;
    const char* shown;
  };
  const ordered_json variables = {
      {"m", "<a b>"},
      {"l", {"x", "y", "z"}},
      {"d", {{"key", "v"}, {"role", "user"}}},
      {"n", 124},
      {"r", 2.5},
      {"no", nullptr},
      {"yes", true},
      {"big", 18446744073709551615u},
      {"f", "%s|{}"},
      {"w", " ab\tc \n"},
      {"messages", {{{"role", "user"}, {"content", "user"}}, {{"role", "<|x|>"}, {"content", {{{"role", "user"}}}}}}}};
  const Case c = GENERATE(
      Case{"<{{ m }}>", "<[<a b>]>"}, Case{"{{ '<' ~ m ~ 1 }}", "<[<a b>]1"}, Case{"{{ '<' + m + '>' }}", "<[<a b>]>"},
      Case{"{{ bos }}{{ m }}", "<s>[<a b>]"}, Case{"{{ m[1:3] }}|{{ m[0] }}|{{ m[::-1] }}", "[a ]|[<]|[>b a<]"},
      Case{"{{ ('(' ~ m ~ ')')[::-1] }}", ")[>b a<]("}, Case{"{{ ('(' ~ m ~ ')')[::2] }}", "([ab])"},
      Case{"{{ ('(' ~ m ~ ')')|list|join('-') }}", "(-[<]-[a]-[ ]-[b]-[>]-)"},
      Case{"{{ ('(' ~ m ~ ')')|reverse }}", ")[>b a<]("},
      Case{"{% for c in '(' ~ m %}{{ c }},{% endfor %}", "(,[<],[a],[ ],[b],[>],"},
      Case{"{{ '|'.join(l) }}", "[x]|[y]|[z]"}, Case{"{{ l|join('|') }}", "[x]|[y]|[z]"},
      Case{"{{ m.join('()') }}", "([<a b>])"}, Case{"{{ '<%s>' % m }}", "<[<a b>]>"},
      Case{"{{ '<%7s>' % m }}", "<  [<a b>]>"}, Case{"{{ '<%.2s>' % m }}", "<[<a]>"},
      Case{"{{ '%c|%d|%5x' % (n, n, n) }}", "[|]|[124]|[   7c]"}, Case{"{{ '%r' % m }}", "['<a b>']"},
      Case{"{{ '<{}>'.format(m) }}", "<[<a b>]>"}, Case{"{{ '{:>7}|{:c}'.format(m, n) }}", "  [<a b>]|[|]"},
      Case{"{{ f % 'a' }}", "a[|{}]"}, Case{"{{ f.format('a') }}", "[%s|]a"},
      Case{"{{ '{x}'.format(**{'x': m}) }}", "[<a b>]"}, Case{"{{ '%(x)s' % {'x': m} }}", "[<a b>]"},
      Case{"{{ '%s'|format(m) }}", "[<a b>]"},
      Case{"{{ (m ~ '!').upper() }}|{{ m|title }}|{{ m|capitalize }}|{{ m.swapcase() }}",
           "[<A B>]!|[<A B>]|[<a b>]|[<A B>]"},
      Case{"{{ (' ' ~ w)|trim }}|{{ ('-' ~ w).rstrip() }}|{{ ('x' ~ m).lstrip('x<') }}", "[ab\tc]|-[ ab\tc]|[a b>]"},
      Case{"{{ ('<|' ~ m ~ '|>').strip('<|>') }}", "[a b]"}, Case{"{{ (m ~ 'b').split('b')|join('/') }}", "[<a ]/[>]/"},
      Case{"{{ (m ~ ' t').split()|join('/') }}", "[<a]/[b>]/t"},
      Case{"{{ (m ~ ' t').rsplit(' ', 1)|join('/') }}", "[<a b>]/t"},
      Case{"{{ (m ~ '|t').partition('|')|join('/') }}", "[<a b>]/|/t"},
      Case{"{{ m.partition(' ')|join('/') }}", "[<a]/[ ]/[b>]"},
      Case{"{{ (m ~ '\nt').splitlines()|join('/') }}", "[<a b>]/t"}, Case{"{{ m|replace('a', 'X') }}", "[<]X[ b>]"},
      Case{"{{ 'aXa'|replace('X', m) }}", "a[<a b>]a"}, Case{"{{ 'ab'.replace('', m) }}", "[<a b>]a[<a b>]b[<a b>]"},
      Case{"{{ (m ~ '\nt')|indent(2) }}", "[<a b>]\n  t"}, Case{"{{ 'a\nb'|indent(m) }}", "a\n[<a b>]b"},
      Case{"{{ m|center(9) }}", "  [<a b>]  "}, Case{"{{ m.ljust(7, '.') }}{{ 'a'.rjust(3, m[0]) }}", "[<a b>]..[<<]a"},
      Case{"{{ m.zfill(6) }}", "0[<a b>]"}, Case{"{{ w.expandtabs(4) }}", "[ ab c \n]"},
      Case{"{{ ('ab' ~ m).removeprefix('ab') }}{{ (m ~ '>').removesuffix('>') }}", "[<a b><a b>]"},
      Case{"{{ x|default(m) }}{{ m|default('') }}", "[<a b><a b>]"},
      Case{"{{ l|first }}{{ l|last }}{{ l[1] }}{{ m|first }}{{ m|last }}", "[xzy<>]"},
      Case{"{{ m * 2 }}{{ (m ~ '.') * 2 }}", "[<a b><a b><a b>].[<a b>]."},
      Case{"{{ d.key }}{{ d['key'] }}{{ d|length }}", "[vv]2"},
      Case{"{% for k in d %}{{ k }}={{ d[k] }};{% endfor %}", "[key]=[v];[role]=[user];"},
      Case{"{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}{{ d.keys()|list|first }}", "[keyvroleuserkey]"},
      Case{"{{ d|dictsort|first|first }}", "[key]"}, Case{"{{ d|tojson }}", R"({["key"]: ["v"], ["role"]: ["user"]})"},
      Case{"{{ {'k': m}|tojson }}", R"({"k": ["<a b>"]})"}, Case{"{{ [m, 'a'] }}", "[['<a b>'], 'a']"},
      Case{"{{ {'k': l}|string }}", "{'k': [['x'], ['y'], ['z']]}"},
      Case{"{{ m|e }}|{{ m|urlencode }}", "[&lt;a b&gt;]|[%3Ca%20b%3E]"},
      Case{
          "{{ m|striptags }}|{{ ('x ' ~ m ~ ' y')|truncate(5, true, '', 0) }}|{{ 'a b c'|truncate(4, true, m[0], 0) }}",
          "|x [<a ]|a b[<]"},
      Case{"{% macro f(x) %}({{ x }}){% endmacro %}{{ f(m) }}", "([<a b>])"},
      Case{"{% macro f() %}{{ kwargs }}{% endmacro %}{{ f(**d) }}", "{['key']: ['v'], ['role']: ['user']}"},
      Case{"{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}{{ m }}{% endcall %}", "<[<a b>]>"},
      Case{"{% set x %}({{ m }}){% endset %}{{ x }}", "([<a b>])"},
      Case{"{% filter upper %}({{ m }}x){% endfilter %}", "([<A B>]X)"},
      Case{"{% set ns = namespace(x='') %}{% for c in l %}{% set ns.x = ns.x ~ c ~ ',' %}{% endfor %}{{ ns.x }}",
           "[x],[y],[z],"},
      Case{"{{ namespace(**d) }}", "<Namespace {['key']: ['v'], ['role']: ['user']}>"},
      Case{"{{ dict(d, a='b') }}", "{['key']: ['v'], ['role']: ['user'], 'a': 'b'}"},
      Case{"{{ n }}{{ n + 1 }}{{ -n }}{{ n|string }}{{ '3' ~ n }}", "[124125-124124]3[124]"},
      Case{"{{ '12'|int }}{{ m|length }}{{ (n ~ '')|int }}{{ n|float }}{{ n|abs }}", "125[124124.0124]"},
      Case{"{{ r }}{{ r|round }}{{ no }}{{ yes }}{{ big }}", "[2.52.0NoneTrue18446744073709551615]"},
      Case{"{{ [n, 1]|sum }}{{ [n, 1]|max }}{{ [n]|min }}", "[125124124]"},
      Case{"{% for g in [{'a': m}]|groupby('a') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}", "[<a b>]1"},
      Case{"{{ l|sort(reverse=true)|join }}{{ (l + ['x'])|unique|join }}", "[zyxxyz]"},
      Case{"{{ l|map('upper')|join }}{{ [d]|map(attribute='key')|join }}{{ l|select('eq', 'y')|join }}", "[XYZvy]"},
      Case{"{{ l|batch(2)|list }}", "[[['x'], ['y']], [['z']]]"},
      Case{"{% for m in messages %}<{{ m.role }}>{% endfor %}", "<user><[<|x|>]>"},
      Case{"{{ messages[0].content }}{{ messages[1].content[0].role }}{{ d.role }}", "[useruseruser]"},
      Case{"{{ 'user' if messages[0].content == 'user' }}", "user"},
      Case{"{{ cycler(m, 'a').next() }}{{ joiner(m)() }}", "[<a b>]"},
      Case{"{{ range(n, n + 2)|join(',') }}", "[124],[125]"}, Case{"{{ ('' ~ m)|safe ~ '<' }}", "[<a b>]<"},
      Case{"{{ m|safe|string|upper }}", "[<A B>]"},
      Case{"{{ strftime_now('%Y') }}{{ strftime_now('%Y' ~ m) }}", "2025[2025<a b>]"},
      Case{"{{ m|wordcount }}{{ m.find('b') }}{{ m.count('a') }}{{ 'a' in m }}", "231True"},
      Case{"{{ [1]|tojson(indent=m) }}", "[\n[<a b>]1\n]"},
      Case{"{{ (m|lower|list) + ['q'] }}", "[['<'], ['a'], [' '], ['b'], ['>'], 'q']"});
  CAPTURE(c.source);
  CHECK(shown(render(c.source, variables, {{"bos", "<s>"}})) == c.shown);
}

TEST_CASE("no filter, method or operator lets content pass for the template's", "[chat]") {
  // Every program is rendered with two sets of variables that differ in nothing but letters and digits: what the
  // template wrote must be the same.
  const auto variables = [](char shift) {
    const auto text = [&](std::string s) {
      for (char& c : s) c = c >= 'a' && c <= 'm' ? char(c + shift) : c;
      return s;
    };
    const int by = shift ? 200 : 0, one = shift ? 1 : 0;
    ordered_json v = {{"s", text("bd fb")},
                      {"u", text("b") + (shift ? "\xc3\xa9" : "\xc3\xa8") + "\xee\x80\x80"},
                      {"n", 420 + by},
                      {"r", 420.5 + by},
                      {"l", {text("d"), text("b"), text("f")}},
                      {"p", {4 + one, 2 + one}},
                      {"t", text("b") + "<%s{}>\t\n" + text("d")}};
    v["d"][text("k")] = text("b");
    v["d"][text("j")] = {text("b"), 4 + one};
    return v;
  };
  const ordered_json a = variables(0), b = variables(2);
  const std::vector<std::string> filters = {"abs",
                                            "attr('x')",
                                            "batch(2)|list",
                                            "capitalize",
                                            "center(9)",
                                            "d('q')",
                                            "default('q', true)",
                                            "dictsort",
                                            "e",
                                            "escape",
                                            "first",
                                            "float",
                                            "forceescape",
                                            "format('q')",
                                            "groupby(0)",
                                            "indent(2, true)",
                                            "int",
                                            "int(base=16)",
                                            "items|list",
                                            "join",
                                            "join('-')",
                                            "last",
                                            "length",
                                            "list",
                                            "lower",
                                            "map('upper')|list",
                                            "map('string')|list",
                                            "max",
                                            "min",
                                            "reject('eq', 1)|list",
                                            "replace(' ', 'q')",
                                            "replace('q', 'w')",
                                            "reverse",
                                            "reverse|list",
                                            "round",
                                            "round(-1)",
                                            "round(2, 'floor')",
                                            "safe",
                                            "select|list",
                                            "slice(2)|list",
                                            "sort",
                                            "sort(reverse=true)",
                                            "string",
                                            "striptags",
                                            "sum",
                                            "sum(start=1)",
                                            "title",
                                            "tojson",
                                            "tojson(indent=1)",
                                            "tojson(ensure_ascii=true)",
                                            "trim",
                                            "trim(' x')",
                                            "truncate(3, true)",
                                            "unique|list",
                                            "upper",
                                            "urlencode",
                                            "wordcount"};
  const std::vector<std::string> methods = {"capitalize()",      "center(9, 'x')",    "count(' ')",
                                            "endswith(' ')",     "expandtabs(3)",     "find(' ')",
                                            "format(1)",         "format_map({})",    "get('q', 'q')",
                                            "index('q')",        "isalpha()",         "items()|list",
                                            "join(['q', 'w'])",  "keys()|list",       "ljust(9)",
                                            "lower()",           "lstrip()",          "partition(' ')",
                                            "removeprefix('q')", "removesuffix('q')", "replace('q', 'w')",
                                            "replace('', '-')",  "rfind('q')",        "rjust(9, '-')",
                                            "rpartition(' ')",   "rsplit()",          "rsplit(' ', 1)",
                                            "rstrip()",          "split()",           "split(' ')",
                                            "splitlines()",      "startswith('q')",   "strip()",
                                            "swapcase()",        "title()",           "upper()",
                                            "values()|list",     "zfill(9)",          "copy()"};
  const std::vector<std::string> operators = {"{} ~ 'q'",
                                              "'q' ~ {}",
                                              "{} + 'q'",
                                              "{} + {}",
                                              "{} + [1]",
                                              "{} * 2",
                                              "3 * {}",
                                              "{} - 1",
                                              "{} / 4",
                                              "{} // 7",
                                              "{} % 1000",
                                              "{} ** 2",
                                              "-{}",
                                              "+{}",
                                              "{}[0]",
                                              "{}[1:]",
                                              "{}[::-1]",
                                              "{}[::2]",
                                              "'%s' % {}",
                                              "'%c' % {}",
                                              "'%x' % {}",
                                              "'%5.1f' % {}",
                                              "'{}' % 1",
                                              "'{:>9}'.format({})",
                                              "'{0!r}'.format({})",
                                              "'{0:c}'.format({})",
                                              "'%(x)s' % {'x': {}}",
                                              "[{}, 'q']",
                                              "({}, )",
                                              "{'q': {}}",
                                              "{{}: 'q'}",
                                              "dict(q={})",
                                              "namespace(q={})",
                                              "cycler({}).next()",
                                              "joiner({})",
                                              "{} if true else 1",
                                              "{} and {}",
                                              "{} or 1",
                                              "'-'.join({})",
                                              "'a-b'.replace('-', {})",
                                              "'q'.center(9, {})",
                                              "'q'|tojson(indent={})",
                                              "[1, 2]|tojson(separators=({}, ':'))",
                                              "[1, 2]|join({})",
                                              "dict(**{})",
                                              "{}.x",
                                              "{}|map(attribute=0)|list",
                                              "strftime_now({})",
                                              "'abc'|truncate(2, true, {}, 0)",
                                              "x|default({})",
                                              "[]|sum(start={})",
                                              "[1]|sum(start={})",
                                              "[{}, {}]|sum",
                                              "{}|first|string",
                                              "({} ~ '')|int",
                                              "({} ~ '')|float"};
  std::vector<std::string> values = {"s", "u", "n", "r", "l", "p", "d", "t"}, programs;
  const auto with = [](std::string pattern, const std::string& value) {
    for (size_t at; (at = pattern.find("{}")) != pattern.npos;) pattern.replace(at, 2, value);
    return pattern;
  };
  for (const std::string& v : values) {
    for (const std::string& f : filters) programs.push_back("(" + v + ")|" + f);
    for (const std::string& f : methods) programs.push_back("(" + v + ")." + f);
    for (const std::string& f : operators) programs.push_back(with(f, v));
  }
  const std::vector<std::string> wrappers = {
      "{{ X }}",
      "{{ '(' ~ (X) ~ ')' }}",
      "{{ (X)|string|list|join }}",
      "{{ (X)|string|reverse }}",
      "{{ (X)|list|join('.') }}",
      "{{ [X]|tojson }}",
      "{% for q in X %}{{ q }},{% endfor %}",
      "{% for q in (X)|string %}{{ '%s' % q }}{% endfor %}",
      "{% set ns = namespace(a='') %}{% for q in (X)|string %}{% set ns.a = q ~ ns.a %}{% endfor %}{{ ns.a }}",
      "{{ [X]|map('string')|join|upper|lower }}",
      "{{ ((X)|string)[1:] }}",
      "{{ {'k': X}|dictsort|string }}",
      "{{ '{}-{}'.format(X, X) }}",
      "{% macro f(x, y=1) %}{{ x }}{{ kwargs }}{% endmacro %}{{ f(X, z=X) }}",
      "{% filter upper %}{{ X }}{% endfilter %}",
      "{% set q %}{{ X }}{% endset %}{{ q|trim }}",
      "{{ (X)|string|replace('q', 'w')|title }}",
      "{{ (X)|string|safe|e }}"};
  int rendered = 0;
  for (const std::string& program : programs)
    for (const std::string& wrapper : wrappers) {
      std::string source = wrapper;
      for (size_t at; (at = source.find('X')) != source.npos;) source.replace(at, 1, program);
      std::optional<RenderedChat> x, y;
      try {
        const auto chat = ChatTemplate::parse(source);
        x = chat->render(a.dump(), "2025-08-05");
        y = chat->render(b.dump(), "2025-08-05");
      } catch (const Error&) {
        continue;
      }
      ++rendered;
      if (without_content(*x) != without_content(*y)) FAIL_CHECK(source << ": " << shown(*x) << " and " << shown(*y));
    }
  CHECK(rendered > 5000);
}
