#include "grammar/frontends/json_format.h"

namespace puna::grammar {
namespace {

// RFC 3339, and the length of a month by its name; 29 February in leap years only.
#define PUNA_LEAP_YEAR "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
#define PUNA_DATE                                                                                       \
  "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|" \
  "02-(?:0[1-9]|1[0-9]|2[0-8]))|" PUNA_LEAP_YEAR "-02-29)"
#define PUNA_OFFSET "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
#define PUNA_TIME "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?" PUNA_OFFSET
// RFC 1123: labels of at most 63.
#define PUNA_LABEL "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
// No label of other scripts ("xn--"): whether one is valid is a matter of tables. 253 characters in all.
#define PUNA_HOST PUNA_LABEL "(?:\\." PUNA_LABEL ")*"
#define PUNA_HOST_LIMITS "(?!(?:.*\\.)?..--)(?=.{1,253}$)"
#define PUNA_BYTE "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define PUNA_IPV4 PUNA_BYTE "(?:\\." PUNA_BYTE "){3}"
#define PUNA_GROUP "[0-9A-Fa-f]{1,4}"
#define PUNA_LAST32 "(?:" PUNA_GROUP ":" PUNA_GROUP "|" PUNA_IPV4 ")"
// RFC 3986, section 3.2.2.
#define PUNA_IPV6                                                                                         \
  "(?:(?:" PUNA_GROUP ":){6}" PUNA_LAST32 "|::(?:" PUNA_GROUP ":){5}" PUNA_LAST32 "|(?:" PUNA_GROUP       \
  ")?::(?:" PUNA_GROUP ":){4}" PUNA_LAST32 "|(?:(?:" PUNA_GROUP ":){0,1}" PUNA_GROUP ")?::(?:" PUNA_GROUP \
  ":){3}" PUNA_LAST32 "|(?:(?:" PUNA_GROUP ":){0,2}" PUNA_GROUP ")?::(?:" PUNA_GROUP ":){2}" PUNA_LAST32  \
  "|(?:(?:" PUNA_GROUP ":){0,3}" PUNA_GROUP ")?::" PUNA_GROUP ":" PUNA_LAST32 "|(?:(?:" PUNA_GROUP        \
  ":){0,4}" PUNA_GROUP ")?::" PUNA_LAST32 "|(?:(?:" PUNA_GROUP ":){0,5}" PUNA_GROUP ")?::" PUNA_GROUP     \
  "|(?:(?:" PUNA_GROUP ":){0,6}" PUNA_GROUP ")?::)"
#define PUNA_URI_CHAR "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
#define PUNA_USER_CHAR "(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})"
#define PUNA_USER_FREE_CHAR "(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})"
#define PUNA_NAME_CHAR "(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
#define PUNA_AUTHORITY                             \
  "//(?:" PUNA_USER_CHAR "*@)?(?:\\[(?:" PUNA_IPV6 \
  "|[vV][0-9A-Fa-f]+\\.(?:[A-Za-z0-9._~!$&'()*+,;=:-])+)\\]|" PUNA_NAME_CHAR "*)(?::[0-9]*)?"
#define PUNA_QUERY "(?:\\?(?:" PUNA_URI_CHAR "|[/?])*)?(?:#(?:" PUNA_URI_CHAR "|[/?])*)?"
#define PUNA_REST "(?:/" PUNA_URI_CHAR "*)*"
#define PUNA_URI \
  "[A-Za-z][A-Za-z0-9+.-]*:(?:" PUNA_AUTHORITY PUNA_REST "|/?(?:" PUNA_URI_CHAR "+" PUNA_REST ")?)" PUNA_QUERY
#define PUNA_RELATIVE_URI                                                                                       \
  "(?:" PUNA_AUTHORITY PUNA_REST "|/(?:" PUNA_URI_CHAR "+" PUNA_REST ")?|(?:" PUNA_USER_FREE_CHAR "+" PUNA_REST \
  ")?)" PUNA_QUERY

// RFC 5321, section 4.1.2.
#define PUNA_ATEXT "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"

constexpr struct {
  std::string_view name;
  const char* pattern;
} kFormats[] = {
    {"date", PUNA_DATE},
    {"time", PUNA_TIME},
    {"date-time", PUNA_DATE "[Tt]" PUNA_TIME},
    {"duration",
     "P(?:[0-9]+W|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"
     "(?:T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S))?"
     "|T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S))"},
    {"email", "(?:" PUNA_ATEXT "+(?:\\." PUNA_ATEXT "+)*|\"(?:[ !#-\\[\\]-~]|\\\\[ -~])*\")@(?:" PUNA_HOST
              "|\\[" PUNA_IPV4 "\\]|\\[IPv6:" PUNA_IPV6 "\\])"},
    {"hostname", PUNA_HOST_LIMITS PUNA_HOST},
    {"ipv4", PUNA_IPV4},
    {"ipv6", PUNA_IPV6},
    {"uuid", "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"},
    {"uri", PUNA_URI},
    {"uri-reference", "(?:" PUNA_URI "|" PUNA_RELATIVE_URI ")"},
    {"json-pointer", "(?:/(?:[^/~]|~[01])*)*"},
    {"relative-json-pointer", "(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^/~]|~[01])*)*)"},
};

}  // namespace

bool is_unchecked_standard_format(std::string_view format) {
  for (const std::string_view name : {"idn-email", "idn-hostname", "iri", "iri-reference", "regex", "uri-template"})
    if (name == format) return true;
  return false;
}

const char* format_pattern(std::string_view format) {
  for (const auto& row : kFormats)
    if (row.name == format) return row.pattern;
  return nullptr;
}

}  // namespace puna::grammar
