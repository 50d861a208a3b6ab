/* What a verb says, until it is known that nothing failed: in memory, and of long results in a file without a name. */
#include "command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

lm_status command_write(const char *text, size_t count)
{
    while (count) {
        ssize_t n = write(STDOUT_FILENO, text, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EPIPE)
            return LM_OK; /* the reader, such as `head`, has seen enough */
        LM_REQUIRE(n > 0, LM_OUTPUT, "standard output: cannot be written (%s); give it room or a reader",
                   strerror(errno));
        text += n;
        count -= (size_t)n;
    }
    return LM_OK;
}

static lm_status no_room(void)
{
    return lm_fail(LM_OUTPUT, "what is to be said cannot be put by in a temporary file (%s); write it to one with -o",
                   strerror(errno));
}

lm_status command_spill(command *cmd)
{
    LM_TRY(cmd->out.status);
    if (!cmd->spilled && !(cmd->spilled = tmpfile()))
        return no_room();
    if (fwrite(lm_str_text(&cmd->out), 1, cmd->out.count, cmd->spilled) != cmd->out.count || fflush(cmd->spilled) != 0)
        return no_room();
    lm_str_clear(&cmd->out);
    return LM_OK;
}

lm_status command_say(command *cmd)
{
    char block[65536];
    if (cmd->spilled) {
        rewind(cmd->spilled);
        for (size_t n; (n = fread(block, 1, sizeof block, cmd->spilled)) > 0;)
            LM_TRY(command_write(block, n));
        if (ferror(cmd->spilled))
            return no_room();
    }
    return command_write(lm_str_text(&cmd->out), cmd->out.count);
}
