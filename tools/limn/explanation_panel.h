/* One sample's attribution of a table, a token sequence or a time series as a panel that can be drawn. */
#ifndef LIMN_EXPLANATION_PANEL_H
#define LIMN_EXPLANATION_PANEL_H

#include "core/base/arena.h"
#include "core/draw/panel.h"
#include "explanation.h"

/* Is it about one of these? */
bool explanation_is_panel(const explanation *e, const limn_attribution *a);

/* Everything but the title; what it points at lives in the arena. LM_USAGE where it is none. */
lm_status explanation_panel(const explanation *e, const limn_attribution *a, int64_t sample, lm_arena *arena,
                            lm_panel *out);

#endif
