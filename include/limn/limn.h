/* limn/limn.h - everything at once, and the version. */
#ifndef LIMN_LIMN_H
#define LIMN_LIMN_H

#include <limn/build.h>
#include <limn/device.h>
#include <limn/draw.h>
#include <limn/explain.h>
#include <limn/model.h>
#include <limn/run.h>
#include <limn/status.h>
#include <limn/tensor.h>
#include <limn/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, "major.minor.patch". */
LIMN_API const char *limn_version(void);

#ifdef __cplusplus
}
#endif
#endif
