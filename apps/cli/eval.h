// eval.h -- the verbs of puna eval, a file each.
#pragma once
#include "command_line.h"

namespace puna::cli {

void add_eval_needle(const Verb& eval_group);
void add_eval_quant(const Verb& eval_group);
void add_eval_run(const Verb& eval_group);

}  // namespace puna::cli
