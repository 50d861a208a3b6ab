/* The first principal component of a matrix, not centred. */
#ifndef LM_EXPLAIN_EIGEN_H
#define LM_EXPLAIN_EIGEN_H

#include <stdint.h>

#include "core/base/status.h"

/* The largest eigenvalue of a symmetric matrix [n,n] and its vector of length 1, whose sign is arbitrary. The matrix is
 * overwritten. Time grows with n^3. */
lm_status lm_eigen_largest(int64_t n, double *matrix, double *value, double *vector);

/* a: [channels, positions]. out: [positions], each position's coordinate along the direction in channel space in which
 * the squares of all coordinates sum to the most; its sign makes the sum of the coordinates non-negative. */
lm_status lm_eigen_component(int64_t channels, int64_t positions, const double *a, double *out);

#endif
