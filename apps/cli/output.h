// output.h -- what a verb writes. Standard output: every byte is checked, here and once more when the program ends, so
// that a full disk is an error in every verb. Files: replaced in one step. A closed pipe (SIGPIPE) ends the program as
// usual.
#pragma once
#include <string>
#include <string_view>

#include "puna/base/function_ref.h"

namespace puna::cli {

void print(std::string_view text);  // to standard output, at once, byte for byte
__attribute__((format(printf, 1, 2))) void print_format(const char* format, ...);

void write_text(const std::string& path, const std::string& text);
// For names that are made of another one (NAME.json), under which anything may lie: what is there and was not written
// by us is never replaced, nor is a folder, a FIFO or a device written to. `is_ours` sees how the file begins (at most
// 4096 bytes); one that is empty is nobody's.
// Error{invalid_argument} names the file; `instead` says how to go on ("give another --out").
void require_ours(const std::string& path, FunctionRef<bool(std::string_view begin)> is_ours, const char* instead);

// Thrown by print when the pipe is closed. Not reported as an error.
struct ReaderGone {};

// Before anything is opened: a standard stream that the caller closed must not become one of our files.
void hold_standard_streams();
// The program's exit code: `code`, or 1 when standard output could not take all.
int end_output(int code);
int end_by_broken_pipe();

}  // namespace puna::cli
