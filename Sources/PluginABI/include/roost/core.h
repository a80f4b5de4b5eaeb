/*
 * Roost plugin ABI 1: the core.
 *
 * A plugin is a shared library that exports one function, roost_plugin_entry. Everything else is a table of functions
 * that one side gives the other, found by a string id with a revision ("roost.http/1"). docs/plugins.md explains the
 * whole; these headers are the contract.
 *
 * Rules that hold for every header:
 *
 *  - A published struct is frozen, to the byte. What is new comes as a new struct under a new table id; hosts serve
 *    every table of ABI major 1 for ever.
 *  - Text is UTF-8 with a length, never NUL-terminated. Integers have fixed widths. JSON crosses as bytes.
 *  - THREADS. Each function names where it may be called:
 *      [init]    in the plugin's init only, on the thread that loads plugins
 *      [start]   in the plugin's start only
 *      [loop]    on an event loop: must return within about a millisecond and must not wait for anything
 *      [worker]  on a worker thread: may take its time
 *      [writer]  on the one thread that writes, inside a transaction: every other write waits meanwhile
 *      [any]     anywhere, also at the same time
 *  - OWNERSHIP. Bytes that a function gets or gives are borrowed until that call returns, unless its comment says more.
 *    Bytes that a plugin gives back must be static, part of the input, or from `scratch`.
 *  - ERRORS. Functions return a roost_status; negative is an error. `fail` and `fail_field` add the words for the user.
 *    Nothing may unwind (C++ exception, Rust panic, Swift error, longjmp) across the boundary.
 */
#ifndef ROOST_CORE_H
#define ROOST_CORE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_ABI_MAJOR 1u
#define ROOST_ABI_MINOR 0u

/* The first eight bytes of a descriptor. */
#define ROOST_MAGIC "ROOST\0P1"

typedef int32_t roost_status;

#define ROOST_OK 0
#define ROOST_UNCHANGED 1        /* the output is the input: the out parameter was not written */
#define ROOST_PENDING 2          /* the answer comes later through the completion */
#define ROOST_EFAILED (-1)       /* refused; the reason was given with fail or fail_field */
#define ROOST_EINVALID (-2)      /* a parameter makes no sense */
#define ROOST_ENOTFOUND (-3)     /* there is no such thing */
#define ROOST_EDENIED (-4)       /* the operator has not granted it */
#define ROOST_ESTALE (-5)        /* the handle's call, record or request is over */
#define ROOST_ETHREAD (-6)       /* called on a thread where it may not be */
#define ROOST_ENOMEM (-7)
#define ROOST_EUNSUPPORTED (-8)  /* not offered by this type, collection or host */
#define ROOST_ECONFLICT (-9)     /* there is one already */
#define ROOST_EINTERNAL (-10)    /* a fault of the callee; answered as a plain 500 */

/* Bytes, or UTF-8 text. `data` may be NULL when `length` is 0. 16 bytes. */
typedef struct roost_bytes {
    const uint8_t *data;
    uint64_t length;
} roost_bytes;

#define ROOST_NULL 0u
#define ROOST_BOOL 1u    /* integer is 0 or 1 */
#define ROOST_NUMBER 2u  /* number */
#define ROOST_TEXT 3u    /* bytes, UTF-8 */
#define ROOST_JSON 4u    /* bytes, one valid compact JSON document: an array or an object, or any JSON in a json field */

/* A value of a field. Members that its kind does not name are 0. 40 bytes. */
typedef struct roost_value {
    uint32_t kind;
    uint32_t reserved;
    int64_t integer;
    double number;
    roost_bytes bytes;
} roost_value;

/*
 * One call from the host into a plugin, or one job that a plugin was given. Scratch memory and failures belong to it.
 * Valid until the called function returns; for a request that answered ROOST_PENDING, until its completion.
 */
typedef struct roost_call roost_call;

typedef struct roost_host roost_host;

/* The host as a plugin sees it. OWNERSHIP: the host's, valid from init until the process ends. 104 bytes. */
struct roost_host {
    uint32_t abi_major;
    uint32_t abi_minor;
    roost_bytes version;   /* semantic version of the host */
    roost_bytes settings;  /* the operator's settings for this plugin, a JSON object; "{}" when there are none */
    void *context;         /* the host's own; pass the roost_host back unchanged */

    /* [any] A table of the host or of another plugin by id, e.g. "roost.http/1"; NULL when there is none, or when the
     * operator has not granted the capability that it needs. OWNERSHIP: the offerer's, for ever. */
    const void *(*get_table)(const roost_host *host, roost_bytes id);

    /* [init] Offers a table to other plugins. The id begins with the plugin's own reverse domain or is one that the
     * documentation lets plugins offer. OWNERSHIP: the table and what it points to must live for ever.
     * ROOST_ECONFLICT: another plugin offers that id already. */
    roost_status (*offer_table)(const roost_host *host, roost_bytes id, const void *table);

    /* [any] Memory accounted to the plugin. NULL when there is none. Released with `release`. */
    void *(*allocate)(const roost_host *host, uint64_t size);
    void (*release)(const roost_host *host, void *memory);

    /* [any] Memory that is released by the host after it has used what the call gave back; 16-byte aligned. */
    void *(*scratch)(const roost_call *call, uint64_t size);

    /* [any] Says why the call fails. `http_status` 400…599, or 0 for the natural one of the call; `code` is for
     * programs (snake case, e.g. "validation_invalid_color"), `message` one sentence for people. The last one counts. */
    void (*fail)(const roost_call *call, int32_t http_status, roost_bytes code, roost_bytes message);

    /* [any] The same for one field or setting; may be called for several. `params` is a JSON object or empty. */
    void (*fail_field)(
        const roost_call *call, roost_bytes field, roost_bytes code, roost_bytes message, roost_bytes params);
};

/*
 * What a plugin says of itself. 152 bytes. The host compares id and version with the manifest beside the library.
 * OWNERSHIP: static.
 */
typedef struct roost_plugin_descriptor {
    uint8_t magic[8];      /* ROOST_MAGIC */
    uint32_t size;         /* sizeof(roost_plugin_descriptor) */
    uint32_t abi_major;    /* ROOST_ABI_MAJOR of the headers it was built with */
    uint32_t abi_minor;
    uint32_t reserved;
    roost_bytes id;        /* reverse domain, e.g. "org.example.colour" */
    roost_bytes version;   /* semantic version */
    roost_bytes name;
    roost_bytes vendor;
    roost_bytes license;
    roost_bytes url;

    /* Makes the plugin. Must not call the host (it has none yet). `*instance` is passed to the others. */
    roost_status (*create)(void **instance);
    /* [init] Fetches tables and registers what the plugin offers. A failure leaves the plugin out and is shown to the
     * operator; its registrations are undone. */
    roost_status (*init)(void *instance, const roost_host *host, const roost_call *call);
    /* [start] All plugins are in and the data folder is open. May be NULL. */
    roost_status (*start)(void *instance, const roost_call *call);
    /* The process ends: no call into the plugin is running or will come. May be NULL. */
    void (*stop)(void *instance);
} roost_plugin_descriptor;

/* The one exported symbol. [any] Returns the same static descriptor each time. */
#if defined(__GNUC__)
#define ROOST_EXPORT __attribute__((visibility("default")))
#else
#define ROOST_EXPORT
#endif
#ifndef ROOST_NO_ENTRY_PROTOTYPE
ROOST_EXPORT const roost_plugin_descriptor *roost_plugin_entry(void);
#endif

#ifdef __cplusplus
}
#endif

#endif
