/* Any text as LIMN_BACKEND: parsed or refused with a message, never more. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/device/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    size_t before = lm_mem_count().live;
    lm_spec spec = {0};
    if (lm_spec_parse(text, &spec) != LM_OK && !*lm_message())
        abort();
    lm_spec_free(&spec);
    free(text);
    if (lm_mem_count().live != before)
        abort();
    return 0;
}
