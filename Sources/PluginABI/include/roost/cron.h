/* "roost.cron/1": jobs that run by the clock, next to those of the server. Fetched from the host. */
#ifndef ROOST_CRON_H
#define ROOST_CRON_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_CRON "roost.cron/1"

/* [worker] Does the job, on a thread of its own. A negative status is logged with the words of the call, and the job runs
 * again at its next time. Never runs twice at once: a time at which the job is still running is skipped. */
typedef roost_status (*roost_cron_run)(void *user, const roost_call *call);

/* OWNERSHIP: borrowed; the host copies. 64 bytes. */
typedef struct roost_cron_job_v1 {
    roost_bytes id;        /* shown to users, who may run the job by it, e.g. "org.example.report" */
    roost_bytes schedule;  /* UTC: minute, hour, day, month, day of the week, each a number, range, step, list or *, with
                            * one space between; or @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually */
    void *user;
    roost_cron_run run;
    void (*free)(void *user); /* when the job was removed or replaced and does not run any more; may be NULL */
    uint64_t reserved;
} roost_cron_job_v1;

typedef struct roost_cron_v1 {
    /* [any] Adds a job, or puts it in the place of the plugin's own job of that id. What is added in init counts when
     * init went well; jobs run from the start of the server on, and not in other commands of the program. `call` is told
     * what is wrong with a schedule; it may be NULL.
     * ROOST_EINVALID: no id, no function, or no schedule. ROOST_ECONFLICT: the server or another plugin has a job of
     * that id. `free` is not called then. */
    roost_status (*add)(const roost_host *host, const roost_call *call, const roost_cron_job_v1 *job);
    /* [any] Removes a job, whoever added it; one that is running finishes. ROOST_ENOTFOUND: there is none of that id. */
    roost_status (*remove)(const roost_host *host, roost_bytes id);
} roost_cron_v1;

#ifdef __cplusplus
}
#endif

#endif
