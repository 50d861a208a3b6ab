/* A driver that ends the process of whoever asks for its platforms. */
#include <stdlib.h>

__attribute__((visibility("default"))) void *clGetExtensionFunctionAddress(const char *name);

void *clGetExtensionFunctionAddress(const char *name)
{
    (void)name;
    abort();
}
