/* The parts of limn info that have files of their own. */
#ifndef LIMN_INFO_H
#define LIMN_INFO_H

#include "command.h"

/* The methods of explain: a table with a line per option, or JSON. */
void info_methods_table(lm_str *out);
void info_methods_json(lm_str *out);

#endif
