// task_yaml.h -- a YAML file as JSON, by libyaml. Every key and value stands in the line that it stood in, so that what
// reads the JSON names the right one.
#pragma once
#include <string>
#include <string_view>

namespace puna::cli {

// Plain words are what PyYAML takes them for: yes and no are true and false. Error{bad_file} "FILE, line N: ..." for
// what is malformed, and for what tasks have no use for: tags (!function), aliases, several documents, keys that are no
// text, more than 64 levels or a megabyte. Error{unsupported} where this build has no libyaml.
std::string yaml_to_json(std::string_view text, const std::string& file);

}  // namespace puna::cli
