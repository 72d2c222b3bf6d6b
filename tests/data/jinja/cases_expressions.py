"""Literals, operators, attributes, slices, tests, printing."""
V = {
    "n": None, "t": True, "f": False, "i": 7, "neg": -7, "z": 0, "fl": 2.5, "big": 123456789012, "s": "Hello Wörld", "e": "",
    "l": [1, "two", 3.0, None, True, [4]], "d": {"k": "v", "n": None, "items": "mine", "l": [1, 2], "é": 1}, "el": [], "ed": {},
    "ms": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo", "tool_calls": []}], "emoji": "a👍🏽é中",
}


def exprs(*sources):
    return [(s, "{{ " + s + " }}", V) for s in sources]


CASES = exprs(
    # literals
    "1", "0", "-1", "1_000", "0x1F", "0b101", "0o17", "1.5", "1e3", "1.5e-7", "1_0.2_5", "007", "0", "00", "'a'", '"a"', "'a' 'b' \"c\"",
    "'it''s'", "'\\n\\t\\\\\\'\\\"'", "'\\x41\\u00e9\\U0001F44D'", "'\\101\\0'", "'\\q\\é'", "'a\\\nb'", "'multi\nline'", "'\\u12'", "true", "True", "false",
    "none", "None", "[]", "[1, 2,]", "[1, [2, 'x']]", "()", "(1,)", "(1, 2)", "(1)", "{}", "{'a': 1, 'b': [2]}", "{'a': 1,}", "{1: 2, true: 3, 1.0: 4}",
    "{'a': 1, 'a': 2}", "{[1]: 2}", "[1,,2]", "9223372036854775807", "1 2", "'unclosed", "1.", "1..2",
    # arithmetic
    "1 + 2", "7 - 10", "3 * 4", "7 / 2", "8 / 2", "7 // 2", "-7 // 2", "7 // -2", "7 % 3", "-7 % 3", "7 % -3", "2 ** 10", "2 ** -1", "2 ** 3 ** 2", "-2 ** 2",
    "1 / 0", "1 // 0", "1 % 0", "1.0 / 0", "5.5 // 2", "-5.5 // 2", "5.5 % 2", "-5.5 % 2", "0.1 + 0.2", "1e16", "1e15", "123456789.123", "1e-4", "1e-5", "1.0", "-0.0",
    "1e22", "1.7976931348623157e308", "5e-324", "100000000000000000000.0", "true + 1", "true + true", "3 * true", "-true", "1 + 1.5", "2 * 0.5", "1 - -1", "+i", "-neg",
    "+true", "-'a'", "'a' + 'b'", "'a' * 3", "3 * 'ab'", "'a' * -1", "'a' * 0", "[1] * 2", "2 * [1, 2]", "(1,) * 2", "[1] + [2]", "(1,) + (2,)", "[1] + (2,)", "'a' + 1", "1 + 'a'",
    "none + 1", "{} + {}", "'a' - 'b'", "1 ~ 2", "'a' ~ none ~ true ~ 1.0", "[1] ~ 'x'", "1 ~ 2 + 3", "2 + 3 ~ 4", "1 + 2 * 3 - 4 / 2", "(1 + 2) * 3", "10 - 2 - 3",
    "2 * 3 % 4", "i // 2 * 2 + i % 2 == i", "0.5 ** 2", "(-8) ** 2", "4 ** 0.5", "0 ** 0", "0 ** -1",
    # comparison and logic
    "1 < 2", "1 < 2 < 3", "1 < 3 < 2", "3 > 2 >= 2", "1 == 1.0", "true == 1", "'1' == 1", "none == false", "'a' < 'b'", "'Z' < 'a'", "'é' > 'z'", "[1, 2] < [1, 3]", "(1, 'a') < (1, 'b')",
    "[1] == (1,)", "{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "1 < 'a'", "none < 1", "{} < {}", "1 != 2", "1 == 1 == 1", "1 in [1, 2]", "3 not in [1, 2]", "'a' in 'abc'", "'' in ''", "1 in 'a'",
    "'k' in d", "'v' in d", "1 in d", "none in l", "true in [1]", "[4] in l", "2 in (1, 2)", "1 in 5", "1 in none", "1 in range(3)", "3 in range(3)", "1.0 in range(3)", "'x' not in undefined_thing",
    "undefined_thing in [1]", "undefined_thing in 'abc'", "9007199254740993 == 9007199254740992.0", "not true", "not not 1", "not 1 == 2", "1 and 2", "0 and 2", "0 or 'x'", "'' or none", "none or false or 3",
    "1 or 1 / 0", "0 and 1 / 0", "not none and true", "1 if true else 2", "1 if false else 2", "1 if false", "(1 if false) is defined", "1 if true else 2 if false else 3", "1 if false else 2 if false else 3",
    "'a' if i > 5 else 'b'", "(none if t) is none", "1 if nothing else 2", "not nothing", "1 if x is defined else 2",
    # undefined
    "nothing", "nothing.x", "nothing['x']", "nothing()", "d.nothing", "d.nothing.x", "d['nothing']", "d['nothing']['x']", "nothing + 1", "1 + nothing", "nothing ~ 'a'", "nothing == none", "nothing == nothing2",
    "nothing == ''", "nothing != 1", "nothing < 1", "nothing and 1", "nothing or 1", "-nothing", "nothing * 2", "nothing is string", "nothing is iterable", "nothing is sequence", "nothing is mapping",
    "nothing is none", "nothing is number", "nothing is callable", "nothing|length", "nothing|list", "nothing|join(',')", "nothing|upper", "nothing|trim", "nothing|string", "nothing|default('x')", "nothing|int",
    "nothing|float", "nothing|tojson", "nothing|first", "nothing|first is defined", "nothing|last", "nothing|sort", "nothing|map('upper')|list", "nothing|select|list", "nothing|items|list", "nothing|dictsort",
    "nothing|abs", "nothing|round", "nothing|replace('a', 'b')", "nothing|indent", "nothing|reverse|list", "nothing|sum", "nothing|unique|list", "nothing|e", "nothing|title", "nothing|wordcount",
    "nothing|truncate", "nothing[1:]", "[nothing]", "{'a': nothing}", "(nothing, nothing)", "[nothing]|tojson", "nothing|default(none)", "d.n|default('x')", "d.n|default('x', true)", "e|default('x', true)", "nothing.x|default('y')",
    "d.nothing|default('y')", "'%s' % nothing", "'%d' % nothing", "nothing.__class__", "nothing|attr('x')",
    # attributes and items
    "d.k", "d['k']", "d.items", "d['items']", "d.items() | list", "d.get('k')", "d.get('zz')", "d.get('zz', 5)", "d.get(default=5)", "d.keys() | list", "d.values() | list", "d.keys()", "d.values()", "d.items()",
    "{'a': 1}.items()", "d.é", "d.l[0]", "d.l.0", "l.0", "l[0]", "l[-1]", "l[10]", "l[10] is defined", "l['x']", "l[1.0]", "l[true]", "s[0]", "s[-1]", "s[7]", "s[100]", "emoji[1]", "emoji[-1]", "emoji|length",
    "ms[0].role", "ms[0]['role']", "ms[-1].content", "ms[0].get('tool_calls')", "ms[1].tool_calls", "'tool_calls' in ms[1]", "ms[0].tool_calls is defined", "i.x", "i[0]", "n.x", "n.x is defined", "none[0]", "none['x']", "n[0:1]",
    "d[1:2]", "i[1:2]", "d[[1]]", "d[none]", "'abc'.upper()", "'abc'['upper']()", "'abc'.nope", "'abc'.nope()", "l.append", "l.append is defined", "l.append(1)", "l.pop()", "l.insert(0, 1)", "l.extend([1])", "l.sort()", "l.reverse()",
    "l.clear()", "l.remove(1)", "l.copy()", "l.count(1)", "l.index('two')", "l.index('zz')", "d.update({'a': 1})", "d.pop('k')", "d.setdefault('x', 1)", "d.clear()", "d.popitem()", "d.update", "d.copy()", "'a'.__class__", "''.__class__.__mro__",
    "d.__init__", "l.__len__", "()[0]", "(1, 2)[1]", "(1, 2).index(2)", "(1, 1).count(1)", "range(5)[1]", "range(5)[-1]", "range(5)[9]", "range(3).start", "d['k'].upper()", "d.k[0]", "'abc'[0][0][0]", "{'a': {'b': {'c': 1}}}.a.b.c", "5()", "'a'()",
    "none()", "d()", "dict(a=1, b='x')", "dict({'a': 1}, b=2)", "dict([['a', 1], ['b', 2]])", "dict([[1, 2, 3]])", "dict(a=1, **{'b': 2})", "dict(**{'a': 1})", "dict(a=1, **{'a': 2})", "d['l', 1]",
    # slices
    "l[1:3]", "l[:2]", "l[2:]", "l[:]", "l[::-1]", "l[::2]", "l[-2:]", "l[:-1]", "l[5:1]", "l[5:1:-1]", "l[100:]", "l[-100:2]", "l[::0]", "l[none:2]", "l['a':]", "s[1:4]", "s[::-1]", "s[-3:]", "s[:-3]", "s[7:9]", "emoji[::-1]", "emoji[1:3]", "emoji[::2]",
    "(1, 2, 3)[1:]", "range(10)[2:8:2]", "range(10)[::-1] | list", "range(10)[2:4]", "''[::-1]", "ms[1:] | length", "l[1:][0]", "l[:true]", "s[6:][::-1][0]",
    # range
    "range(3)", "range(1, 4)", "range(5, 0, -2)", "range(3) | list", "range(0)", "range(0) | list", "range(3, 1) | list", "range(1, 2, 0)", "range(100001)", "range(100000) | length", "range(2.5)", "range('a')", "range()", "range(1, 2, 3, 4)", "range(-3) | list",
    "range(10, -1, -3) | list", "range(3) == range(0, 3)", "range(3) is iterable", "range(3) is sequence",
    # printing
    "l", "d", "[none, true, 1.5, 'x']", "[\"it's\"]", "['say \"hi\"']", "['it\\'s \"q\"']", "['a\\nb\\tc\\\\']", "['\\x00\\x1f\\x7f\\x80\\xa0\\xad']", "['é中👍\\u200b\\u2028']", "{'k': (1,)}", "[[], {}, ()]", "(1, 'a', none)", "1.0", "100.0", "1e100", "true", "none", "[1.0, 2.50]",
    "{1: 'a', none: 2, (1, 2): 3}", "3.14159265358979", "1/3", "2/3*3", "1e-7", "123456.789e3", "'a' is string", "[range(2)]", "[{}.keys()]",
    # tests
    "1 is defined", "nothing is defined", "nothing is undefined", "nothing is not defined", "n is none", "n is not none", "s is string", "i is string", "d is mapping", "l is mapping", "l is sequence", "s is sequence", "d is sequence", "i is sequence", "d.keys() is sequence",
    "l is iterable", "s is iterable", "i is iterable", "n is iterable", "d.items() is iterable", "l|map('upper') is iterable", "l|map('upper') is sequence", "i is number", "fl is number", "t is number", "s is number", "i is integer", "t is integer", "fl is integer", "fl is float", "i is float",
    "t is boolean", "i is boolean", "t is true", "i is true", "f is false", "z is false", "4 is even", "3 is odd", "3 is even", "'a' is even", "2.0 is even", "9 is divisibleby 3", "9 is divisibleby(2)", "9 is divisibleby 0", "1 is eq 1", "1 is equalto 2", "1 is ne 2", "2 is gt 1", "2 is ge 2", "1 is lt 2",
    "2 is le 1", "2 is greaterthan 1", "1 is lessthan 2", "1 is sameas 1", "t is sameas true", "1 is sameas true", "n is sameas none", "1 is in [1]", "1 is not in [1]", "'a' is in 'abc'", "'abc' is lower", "'aBc' is lower", "'ABC' is upper", "'123' is upper", "'É' is upper", "range is callable",
    "i is callable", "'upper' is filter", "'nope' is filter", "'odd' is test", "'nope' is test", "('<'|e) is escaped", "s is escaped", "not s is string", "s is string and i is number", "s is not string or i is number", "1 is defined is true", "i is defined and i > 5", "1 is odd()", "1 is odd(2)", "x is not defined and true",
    "[] is none", "1 is none + 1", "i is divisibleby i", "ms is defined and ms[0].role == 'user'", "'x' is eq('x')", "1 is number == true",
    # calls
    "'a'.upper(1)", "'{}'.format()", "range(stop=3)", "'a b'.split(sep=' ')", "'a'.join", "'-'.join(['a', 'b'])", "'-'.join('abc')", "'-'.join([1])", "'-'.join(d.l)", "[].nope(1)", "dict(1)", "namespace(1)",
)
