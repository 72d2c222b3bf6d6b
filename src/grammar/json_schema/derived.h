// derived.h -- keywords of the schemas that we derive, for what JSON Schema has no positive keyword for. Only there do
// they mean something; in a user's schema they are unknown like any other.
#pragma once

namespace puna::grammar {

inline constexpr char kParts[] = "\1parts";    // [[node, negated], ...]: these hold as well
inline constexpr char kAbsent[] = "\1absent";  // ["key", ...]: an object has none of them
// An object has a key of these whose value satisfies the part: {"pattern": "..."}, {"other": node} (than what the
// node's properties and patternProperties name) or {"name": part} (keys that satisfy it as strings), with "value": part
// or without.
inline constexpr char kSomeKey[] = "\1someKey";
inline constexpr char kConstant[] = "\1constant";            // number of a value that the document knows: this one
inline constexpr char kScalars[] = "\1scalars";              // [value, ...]: one of these; no arrays, no objects
inline constexpr char kNotScalars[] = "\1notScalars";        // none of these
inline constexpr char kNotInteger[] = "\1notInteger";        // a number is no whole one
inline constexpr char kNotMultipleOf[] = "\1notMultipleOf";  // a number
inline constexpr char kNotPattern[] = "\1notPattern";        // a regular expression
inline constexpr char kNotFormat[] = "\1notFormat";          // a format

}  // namespace puna::grammar
