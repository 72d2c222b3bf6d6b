#include "recsys/data/interaction_columns.h"

#include <algorithm>
#include <span>

#include "base/nearest.h"
#include "base/shown.h"
#include "puna/base/error.h"
#include "recsys/data/times.h"

namespace puna::recsys {
namespace {

using io::list_of;

// Plain names; the first is ours, and where a table has it, it counts before the others.
constexpr const char* kUsers[] = {"userid",     "user",     "uid",       "users",    "username",  "reviewerid",
                                  "customerid", "customer", "visitorid", "memberid", "accountid", "profileid",
                                  "personid",   "playerid", "sessionid", "session"};
constexpr const char* kItems[] = {
    "itemid",  "item",       "iid",      "items",     "movieid", "movie",   "asin",  "parentasin", "productid",
    "product", "articleid",  "article",  "videoid",   "video",   "bookid",  "book",  "isbn",       "trackid",
    "track",   "songid",     "song",     "artistid",  "artist",  "animeid", "anime", "businessid", "gameid",
    "appid",   "newsid",     "recipeid", "listingid", "adid",    "skuid",   "sku",   "postid",     "poiid",
    "venueid", "locationid", "courseid", "contentid", "gmapid",  "showid"};
constexpr const char* kTimes[] = {
    "timestamp", "time",        "ts",        "unixreviewtime",  "unixtime",   "unixtimestamp",
    "datetime",  "date",        "eventtime", "eventtimestamp",  "createdat",  "created",
    "tdat",      "reviewdate",  "ratedat",   "ratingtimestamp", "ratingtime", "interactiontime",
    "timems",    "timestampms", "tstamp",    "clicktime",       "visitedat",  "dateadded"};

struct Role {
  const char* name;  // as errors ask for it
  const char* others;
  std::span<const char* const> known;
};
const Role kRoles[] = {{"user_id", "user, userId, uid", kUsers},
                       {"item_id", "item, movieId, asin", kItems},
                       {"timestamp", "time, ts, date", kTimes}};

constexpr size_t kNone = SIZE_MAX;

// Its column, or kNone. Error{bad_file} when several could be meant.
size_t place_of(const Role& role, const std::vector<std::string>& names, const TableReader& table,
                const std::vector<std::string_view>& first) {
  size_t found = kNone;
  bool exact = false;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto at = std::find(role.known.begin(), role.known.end(), names[i]);
    if (at == role.known.end()) continue;
    const bool ours = at == role.known.begin();
    if (found != kNone && ours == exact)
      fail(Status::bad_file, "%s: the columns %s may both be the %s: call one of them %s and the other something else",
           table.where().c_str(), list_of({first[found], first[i]}).c_str(), role.name, role.name);
    if (found != kNone && exact) continue;
    found = i;
    exact = ours;
  }
  return found;
}

[[noreturn]] void refuse(const TableReader& table, const std::vector<std::string_view>& first,
                         const std::vector<std::string>& names, const size_t (&places)[3]) {
  const std::string columns = std::to_string(first.size()) + (first.size() == 1 ? " column" : " columns");
  std::string lacking, hint;
  for (size_t r = 0; r < 3; ++r) {
    if (places[r] != kNone) continue;
    lacking += (lacking.empty() ? "" : ", ") + std::string(kRoles[r].name) + " (or " + kRoles[r].others + ", ...)";
    for (size_t i = 0; i < names.size() && hint.empty(); ++i)
      if (std::find(std::begin(places), std::end(places), i) == std::end(places) &&
          !nearest_word(names[i], {kRoles[r].known.begin(), kRoles[r].known.end()}).empty())
        hint = "; does '" + shown(first[i].substr(0, 40)) + "' mean " + kRoles[r].name + "?";
  }
  const bool some = std::any_of(std::begin(places), std::end(places), [](size_t p) { return p != kNone; });
  if (some)
    fail(Status::bad_file, "%s: %s between %s, %s, and none of them is %s%s", table.where().c_str(), columns.c_str(),
         table.separated_by(), list_of(first).c_str(), lacking.c_str(), hint.c_str());
  if (first.size() >= 4)
    fail(Status::bad_file,
         "%s: '%s' is no time, and %s name no columns: expected user_id, item_id and timestamp (or user, movieId, "
         "time, ...), or without names user, item, "
         "anything, time%s",
         table.where().c_str(), shown(first[3].substr(0, 40)).c_str(), list_of(first).c_str(), hint.c_str());
  fail(Status::bad_file,
       "%s: %s between %s, %s: expected the names user_id, item_id and timestamp (or user, movieId, time, ...), or "
       "without names user, item, anything, time%s",
       table.where().c_str(), columns.c_str(), table.separated_by(), list_of(first).c_str(), hint.c_str());
}

}  // namespace

std::string plain_name(std::string_view column) {
  std::string plain;
  for (const char c : column.substr(0, column.find(':')))
    if (c != '_' && c != '-' && c != ' ' && c != '.') plain += c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  return plain;
}

InteractionColumns columns_of(const TableReader& table, const std::vector<std::string_view>& first) {
  std::vector<std::string> names;
  for (const std::string_view field : first) names.push_back(plain_name(field));
  // a row, whatever its user is called
  const bool numbered = first.size() >= 4 && TimeColumn::fault_of(first[3]) == nullptr;
  InteractionColumns c;
  c.count = first.size();
  if (numbered) {
    c.about = "columns user, item, anything, time";
    return c;
  }
  size_t places[3];
  for (size_t r = 0; r < 3; ++r) places[r] = place_of(kRoles[r], names, table, first);
  if (std::count(std::begin(places), std::end(places), kNone) > 0) refuse(table, first, names, places);
  c.user = places[0];
  c.item = places[1];
  c.time = places[2];
  c.named = true;
  c.about =
      "user " + list_of({first[c.user]}) + ", item " + list_of({first[c.item]}) + ", time " + list_of({first[c.time]});
  std::vector<std::string_view> others;
  for (size_t i = 0; i < first.size(); ++i)
    if (i != c.user && i != c.item && i != c.time) others.push_back(first[i]);
  if (!others.empty()) c.about += "; not looked at: " + list_of(others);
  return c;
}

}  // namespace puna::recsys
