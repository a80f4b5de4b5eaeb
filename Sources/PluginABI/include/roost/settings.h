/* "roost.settings/1": the server's settings, as the operator has them in the dashboard. */
#ifndef ROOST_SETTINGS_H
#define ROOST_SETTINGS_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_SETTINGS "roost.settings/1"

typedef struct roost_settings_v1 {
    /* [any] The settings in force as one JSON object, with the members of PocketBase's settings. Passwords and keys are
     * left out without the grant "secrets". ROOST_EUNSUPPORTED while there are none yet (before [start]).
     * OWNERSHIP: scratch of the call. */
    roost_status (*get)(const roost_call *call, roost_bytes *out);
    /* [any] A number that is another one after each change, for plugins that keep what they read; 0 before [start]. */
    uint64_t (*revision)(const roost_host *host);
    /* [worker] Changes settings: `patch` is a JSON object that is merged as PATCH /api/settings merges it, validated and
     * stored. Needs the capability "superuser", else ROOST_EDENIED. ROOST_EFAILED: the settings' failures have been given
     * to the call, and the old settings stay. */
    roost_status (*update)(const roost_call *call, roost_bytes patch);
    /* [any] 1 when the settings let superusers in from a client's address, else 0. */
    uint32_t (*admits_superuser)(const roost_host *host, roost_bytes address);
} roost_settings_v1;

#ifdef __cplusplus
}
#endif

#endif
