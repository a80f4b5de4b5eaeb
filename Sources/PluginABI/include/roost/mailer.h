/*
 * "roost.mailer/1": sends mail. A plugin (Mail, or one that replaces it) offers this table; others use it and do without
 * where there is none.
 *
 * A message is one JSON object:
 *
 *   {"from": {"name": "Acme", "address": "a@example.com"}, "to": [{"name": "", "address": "b@example.com"}],
 *    "cc": […], "bcc": […], "subject": "…", "html": "…", "text": "…", "headers": {"X-Tag": "…"},
 *    "attachments": [{"name": "a.pdf", "type": "application/pdf", "inline": false, "content": "<base64>"}],
 *    "kind": "verification", "collection": "users", "record": "<id>", "meta": {…}}
 *
 * "to", "subject" and one of "html" and "text" are needed; without "from" the settings' sender is taken, without "text"
 * it is made from the HTML. The last four are for filters and are not sent; `kind` is "verification", "password-reset",
 * "email-change", "otp", "login-alert" or a plugin's own. A line break in a name, an address, the subject or a header is
 * ROOST_EINVALID: nothing is sent.
 */
#ifndef ROOST_MAILER_H
#define ROOST_MAILER_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_MAILER "roost.mailer/1"

/* Told how a queued message ended: [any], once, on a thread of the mailer. `error` is empty when it was taken over by the
 * mail server, else says why not. OWNERSHIP: borrowed until it returns. */
typedef void (*roost_mail_done)(void *user, roost_status status, roost_bytes error);

/* Looks at a message before it is sent, on the sender's thread: [worker]. ROOST_UNCHANGED passes it on, ROOST_OK sends
 * `*out` instead (scratch of the call), anything negative keeps it from being sent and is what the sender gets. */
typedef roost_status (*roost_mail_filter)(void *user, const roost_call *call, roost_bytes message, roost_bytes *out);

/* OWNERSHIP: the offering plugin's, for ever. 40 bytes. */
typedef struct roost_mailer_v1 {
    /* Passed back as the functions' first parameter. */
    void *mailer;
    /* [worker] Sends and waits until the mail server has taken it or has refused it, a minute at most. Never inside a
     * transaction. ROOST_EFAILED: `*error` says why not (scratch of the call; may be NULL for who does not ask). */
    roost_status (*send)(void *mailer, const roost_call *call, roost_bytes message, roost_bytes *error);
    /* [worker] Takes the message over and returns at once. `done` may be NULL. ROOST_EFAILED: a filter refused it or too
     * many are waiting, and `*error` says which; `done` is not called then, nor after any other failure. */
    roost_status (*queue)(
        void *mailer, const roost_call *call, roost_bytes message, roost_mail_done done, void *user,
        roost_bytes *error);
    /* [init] Adds a filter; they run in ascending order of `priority`. OWNERSHIP: `user` is the caller's, for ever. */
    roost_status (*add_filter)(
        void *mailer, const roost_host *host, int32_t priority, roost_mail_filter filter, void *user);
    uint64_t reserved;
} roost_mailer_v1;

#ifdef __cplusplus
}
#endif

#endif
