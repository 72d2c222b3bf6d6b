"""String, list and dict methods; both kinds of formatting."""
V = {"s": "  Hello Wörld \n", "u": "ÀÉÎõü ß ŞİIı ΑΣ ς Ῥω ǆ ﬁ", "c": "привет МИР", "l": ["b", "a"], "p": "a,b,,c", "d": {"x": 1, "y": "é"}}


def exprs(*sources):
    return [(s, "{{ " + s + " }}", V) for s in sources]


CASES = exprs(
    "[s.strip()]", "[s.lstrip()]", "[s.rstrip()]", "'xxaxx'.strip('x')", "'xyaxy'.strip('yx')", "'aéa'.strip('a')", "'éaé'.lstrip('é')", "'éaé'.rstrip('é')", "'a'.strip(none)", "'a'.strip(1)", "['\\u3000x\\u00a0'.strip()]", "['\\x1cx\\x85'.strip()]",
    "p.split(',')", "p.split(',', 1)", "p.rsplit(',', 1)", "p.split(',', 0)", "'a b  c'.split()", "' a b  c '.split(' ')", "' a  b c '.split(none, 1)", "' a  b c '.rsplit(none, 1)", "'a\\u3000b'.split()", "''.split()", "''.split(',')", "'abc'.split('')",
    "'aXXbXXc'.split('XX')", "'aXXbXXc'.rsplit('XX', 1)", "p.split(',', maxsplit=2)", "'</think>a</think>b'.split('</think>')[-1]", "'x'.split('x')", "'  '.split()", "'a b c d'.rsplit(maxsplit=2)", "'é à ü'.split()", "'é à ü'.rsplit(none, 1)", "'a\\n\\nb\\r\\nc\\x0bd\\x85e\\u2028f'.splitlines()", "'a\\nb\\n'.splitlines(true)",
    "''.splitlines()", "'\\n'.splitlines()", "'a,b'.partition(',')", "'ab'.partition(',')", "'a,b,c'.rpartition(',')", "'ab'.rpartition(',')", "'a'.partition('')", "'abc'.startswith('ab')", "'abc'.startswith(('x', 'a'))", "'abc'.startswith('b', 1)", "'abc'.startswith('')", "'abc'.startswith(1)", "'abc'.startswith(['a'])",
    "'abc'.endswith('bc')", "'abc'.endswith(('x', 'c'))", "'abc'.endswith('b', 0, 2)", "'éa'.startswith('a', 1)", "''.startswith('')", "''.startswith('', 1)", "s.upper()", "s.lower()", "u.upper()", "u.lower()", "u.title()", "u.capitalize()", "u.swapcase()", "c.upper()", "c.lower()", "c.title()", "'they\\'re bill\\'s'.title()", "'hELLO wORLD'.capitalize()",
    "'ΑΣ'.lower()", "'ΑΣΑ'.lower()", "'Σ'.lower()", "'Α\\u0301Σ.'.lower()", "'aaa'.replace('a', 'b')", "'aaa'.replace('a', 'b', 2)", "'abc'.replace('', '-')", "'éa'.replace('', '-', 2)", "''.replace('', 'x')", "'abc'.replace('x', 'y')", "'a'.replace('a')", "'a'.replace(1, 2)", "'aXbX'.replace('X', '')",
    "'hello'.find('l')", "'hello'.rfind('l')", "'hello'.find('z')", "'hello'.index('l')", "'hello'.index('z')", "'hello'.rindex('l')", "'éàü'.find('ü')", "'hello'.find('l', 3)", "'hello'.find('l', -2)", "'hello'.find('')", "'hello'.find('', 9)", "'hello'.count('l')", "'aaa'.count('aa')", "'abc'.count('')", "'éé'.count('é', 1)",
    "'abc'.isalpha()", "'ab1'.isalpha()", "''.isalpha()", "'123'.isdigit()", "'²'.isdigit()", "'²'.isdecimal()", "'½'.isnumeric()", "'٣'.isdecimal()", "'a1'.isalnum()", "'a 1'.isalnum()", "' \\t'.isspace()", "'中文'.isalpha()", "'abc'.islower()", "'aBc'.islower()", "'ABC'.isupper()", "'1'.isupper()", "'Hello World'.istitle()",
    "'Hello world'.istitle()", "'abc'.isascii()", "'é'.isascii()", "''.isascii()", "'a\\n'.isprintable()", "'ab'.isprintable()", "'5'.zfill(3)", "'-5'.zfill(4)", "'+5'.zfill(2)", "'é'.zfill(3)", "'ab'.ljust(5) ~ '|'", "'ab'.rjust(5, '*')", "'ab'.center(5, '*')", "'abc'.center(6, '*')", "'ab'.center(1)", "'ab'.ljust(5, 'xy')", "'é'.rjust(3, 'ü')",
    "'a\\tb'.expandtabs()", "'a\\tb\\tc'.expandtabs(4)", "'prefix-x'.removeprefix('prefix-')", "'x.txt'.removesuffix('.txt')", "'x'.removeprefix('y')", "'-'.join(['é', 'b'])", "', '.join(d)", "''.join([])", "''.join(l|map('upper'))", "'a'.join('bcd')",
    # str.format
    "'{} {}'.format(1, 'a')", "'{1} {0}'.format('a', 'b')", "'{a} {b}'.format(a=1, b=2)", "'{{}} {}'.format(1)", "'{0.x} {0[y]}'.format(d)", "'{0[1]}'.format(l)", "'{!r} {!s}'.format('a', 'b')", "'{:>5}|{:<5}|{:^5}|'.format('a', 'b', 'c')", "'{:*^7}'.format('mid')", "'{:05d} {:+d} {: d} {:d}'.format(42, 42, 42, -42)",
    "'{:.2f} {:8.3f} {:e} {:g} {:.3g} {:%}'.format(3.14159, 2.5, 12345.678, 0.0001, 1234.5, 0.25)", "'{:x} {:X} {:o} {:b} {:#x} {:#b}'.format(255, 255, 8, 5, 255, 5)", "'{:,} {:_} {:,.2f}'.format(1234567, 1234567, 1234567.891)", "'{:.3} {:5.1}|'.format('abcdef', 'xyz')", "'{:c}'.format(233)", "'{:{}}|'.format('a', 4)", "'{:{w}.{p}f}'.format(3.14159, w=8, p=2)",
    "'{}'.format(none)", "'{:5}'.format(none)", "'{:d}'.format('a')", "'{:s}'.format(1)", "'{:5} {:<5}|'.format(true, 3)", "'{} {0}'.format(1)", "'{'.format()", "'}'.format()", "'{x}'.format()", "'{3}'.format(1)", "'{:=+6d}'.format(5)", "'{:06.2f}'.format(-1.5)", "'{:<06}|'.format(5)", "'{a.x}'.format(a=d)", "'{x}-{y}'.format_map(d)", "'{.__class__}'.format(1)", "'{:é^5}'.format('x')",
    "'{!x}'.format(1)", "'{:>10}'.format('é中')", "'{:.0f} {:.0f} {:.1f}'.format(0.5, 1.5, 0.25)", "'{} {}'.format(*[1, 2])", "'{a}'.format(**{'a': 5})", "'{:%}'.format(0.5)", "'{:.1%}'.format(0.12345)", "'{:.2e}'.format(0.00012345)", "'{:10}|{:<10}|'.format(1.5, 1.5)", "'{:n}'.format(5)",
    # %
    "'%s' % 'a'", "'%s %s' % (1, 'b')", "'%d' % 5", "'%d' % 5.9", "'%d' % 'a'", "'%5d|%-5d|%05d|%+d' % (1, 2, 3, 4)", "'%.2f %8.3f %e %g' % (3.14159, 2.5, 12345.678, 0.0001)", "'%x %X %o %#x' % (255, 255, 8, 255)", "'%r %s' % ('a', 'b')", "'%%' % ()", "'%c%c' % ('é', 65)", "'%(a)s %(b)d' % {'a': 1, 'b': 2}", "'%(z)s' % {'a': 1}", "'%s' % [1, 2]", "'%s' % {'a': 1}",
    "'%s %s' % 'a'", "'%s' % (1, 2)", "'a' % 1", "'a' % {}", "'a' % [1]", "'%5s|%-5s|' % ('é', 'b')", "'%.2s' % 'abc'", "'%*d' % (5, 1)", "'%y' % 1", "'%' % 1", "'%s' % none", "'%s' % true", "'%i' % true", "'%5.1f%%' % 12.34", "'%03d' % -5", "'%x' % 1.5", "'%.3d' % 5",
)
