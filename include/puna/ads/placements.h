// placements.h -- where an advertisement stands, and how long its texts may be there. The limits are data with a date
// (src/ads/creative/placements.inc), since platforms change them; a caller may bring newer ones.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace puna::ads {

enum class TextKind : uint8_t { headline, description, name, path };

struct PlacementField {
  std::string name;  // headline, description, ...
  TextKind kind = TextKind::headline;
  int64_t limit = 0;            // of what is shown, in the placement's characters
  int64_t least = 1, most = 1;  // texts of an advertisement
  int64_t one_within = 0;       // one of them has to be as short as that; 0 = no such rule
  int64_t accepted = 0;         // what the platform takes: behind `limit` it truncates; 0 = nothing more than `limit`
};

struct Placement {
  std::string id;             // google.search
  std::string platform;       // google, meta
  std::string label;          // Google responsive search ad
  bool double_width = false;  // wide characters count twice
  std::string source, date;   // of the limits
  std::vector<PlacementField> fields;
};

struct Placements {
  std::string date;
  std::vector<Placement> list;
  uint64_t hash = 0;  // of the text they were read from

  // Error{invalid_argument} with the nearest name.
  const Placement& find(std::string_view id) const;
};

// Error{bad_file} naming the place. `name`: what errors call the text.
Placements read_placements(std::string_view json, const std::string& name);
const Placements& known_placements();  // ours

const PlacementField& find_field(const Placement& placement, std::string_view name);  // Error{invalid_argument}
// In the placement's characters: grapheme clusters, wide ones counted twice where it does.
int64_t length_in(const Placement& placement, std::string_view text) noexcept;

}  // namespace puna::ads
