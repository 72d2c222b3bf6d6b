#include "ads/creative/language.h"

#include <algorithm>
#include <vector>

#include "ads/creative/vocabulary.h"
#include "base/nearest.h"
#include "base/shown.h"

namespace puna::ads {
namespace {

// ISO 639-1.
constexpr std::string_view kLanguages =
    " aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de "
    "dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id "
    "ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu "
    "lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu "
    "rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr "
    "ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu ";

}  // namespace

std::string fault_of_language(std::string_view tag) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const bool shaped = tag.size() >= 2 && tag.size() <= 20 && std::all_of(tag.begin(), tag.end(), [&](char c) {
                        return is_letter(c) || is_digit(c) || c == '-';
                      });
  std::string base(tag.substr(0, tag.find('-')));
  for (char& c : base) c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  const bool known = base.size() == 2 && kLanguages.find(" " + base + " ") != kLanguages.npos;
  if (shaped && known) return "";
  std::string ours;  // with words of their own
  for (const auto& [language, calls] : vocabulary().calls) ours += (ours.empty() ? "" : ", ") + language;
  return "'" + shown(tag) + "' is no language, expected a tag such as en or pt-BR (with calls of their own: " + ours +
         ")";
}

}  // namespace puna::ads
