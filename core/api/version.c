/* limn/limn.h: the version, which the build knows. */
#include <limn/limn.h>

const char *limn_version(void)
{
    return LM_VERSION;
}
