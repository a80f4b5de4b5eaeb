/* "roost.text/1": patterns and random text, the same for all plugins. Patterns are RE2's (linear time, no ReDoS). */
#ifndef ROOST_TEXT_H
#define ROOST_TEXT_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_TEXT "roost.text/1"

typedef struct roost_pattern roost_pattern;

typedef struct roost_text_v1 {
    /* [any] Compiles a pattern; `fail`s with RE2's message and returns ROOST_EFAILED when it is none.
     * OWNERSHIP: the plugin's; released with `release_pattern`. */
    roost_status (*compile_pattern)(const roost_call *call, roost_bytes pattern, roost_pattern **out);
    void (*release_pattern)(roost_pattern *pattern);
    /* [any] 1 when the pattern matches anywhere in the text, else 0. */
    uint32_t (*matches)(const roost_pattern *pattern, roost_bytes text);
    /* [any] Random text that matches a pattern without look-arounds and anchors, e.g. "[a-z0-9]{15}", from the system's
     * random source. OWNERSHIP: scratch of the call. */
    roost_status (*random_from_pattern)(const roost_call *call, roost_bytes pattern, roost_bytes *out);
    /* [any] Fills memory from the system's random source. */
    void (*random_bytes)(uint8_t *out, uint64_t length);
    /* [any] Why a text is no pattern, as PocketBase words it ("error parsing regexp: missing closing ]: `[`"); nothing
     * is noted as a failure. ROOST_ENOTFOUND when it is one. OWNERSHIP: scratch of the call. */
    roost_status (*pattern_fault)(const roost_call *call, roost_bytes pattern, roost_bytes *out);
} roost_text_v1;

#ifdef __cplusplus
}
#endif

#endif
