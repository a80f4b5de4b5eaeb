#include "cstore.h"

#include "scan.h"

/* SQLite's page cache with one thing added: a page that is read from row to row is asked of the processor's memory as a
 * whole when SQLite goes to it. SQLite lays the rows of a page down from its end and no processor foresees steps backwards
 * of many sizes, so that a scan of a table that the processor's own caches do not hold spends a third of its time waiting for
 * one row after the other. */

_Thread_local unsigned roost_rows_looked_at;

/* From how many rows a page on the next one is taken to have as many. Who looks for single records goes to three pages or
 * more for each. */
enum { ROWS_OF_A_SCAN = 4, CACHE_LINE = 64 };

static sqlite3_pcache_methods2 default_cache;
static int page_size;

static sqlite3_pcache *create(int size, int extra, int is_purgeable) {
    if (is_purgeable) __atomic_store_n(&page_size, size, __ATOMIC_RELAXED);
    return default_cache.xCreate(size, extra, is_purgeable);
}

static sqlite3_pcache_page *fetch(sqlite3_pcache *cache, unsigned number, int may_create) {
    sqlite3_pcache_page *page = default_cache.xFetch(cache, number, may_create);
    if (page && roost_rows_looked_at >= ROWS_OF_A_SCAN) {
        /* The largest pages that are common; that an address may be none of this page's does no harm. */
        int size = __atomic_load_n(&page_size, __ATOMIC_RELAXED);
        for (int i = (size > 16384 ? 16384 : size) - CACHE_LINE; i >= 0; i -= CACHE_LINE)
            __builtin_prefetch((const char *)page->pBuf + i);
    }
    roost_rows_looked_at = 0;
    return page;
}

int roost_set_up_page_cache(void) {
    int code = sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &default_cache);
    if (code != SQLITE_OK) return code;
    sqlite3_pcache_methods2 own = default_cache;
    own.xCreate = create;
    own.xFetch = fetch;
    return sqlite3_config(SQLITE_CONFIG_PCACHE2, &own);
}
