/* RE2, a linear-time matcher, as C functions that Swift can call. Threads: a compiled pattern may be used by many. */
#ifndef ROOST_CRE2_H
#define ROOST_CRE2_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cre2_pattern cre2_pattern;

/* Compiles a pattern. NULL when it is none; `error` (of `error_size` bytes) then holds the reason, NUL-terminated.
 * OWNERSHIP: the caller's, released with cre2_release. */
cre2_pattern *cre2_compile(const uint8_t *pattern, size_t length, char *error, size_t error_size);
void cre2_release(cre2_pattern *pattern);
/* 1 when the pattern matches anywhere in the text, else 0. */
int cre2_matches(const cre2_pattern *pattern, const uint8_t *text, size_t length);

#ifdef __cplusplus
}
#endif

#endif
