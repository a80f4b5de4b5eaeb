#include "cstore.h"

#include "scan.h"

#include <stdlib.h>

/* SQLite's page cache with two things added for pages that are read from row to row.
 *
 * A page that the cache has is asked of the processor's memory as a whole when SQLite goes to it: SQLite lays the rows of a
 * page down from its end and no processor foresees steps backwards of many sizes, so that a scan of a table that the
 * processor's own caches do not hold spends a third of its time waiting for one row after the other.
 *
 * And a scan of more pages than the cache takes does not push out what it found first, only to push that out again the next
 * time: from three quarters of the cache on, each page takes the place of the one before it. The beginning of the table
 * stays, and the rest goes through memory that the processor has at hand. */

_Thread_local unsigned roost_rows_looked_at;

/* From how many rows a page on the next one is taken to have as many. Who looks for single records goes to three pages or
 * more for each. */
enum { ROWS_OF_A_SCAN = 4, CACHE_LINE = 64 };

static sqlite3_pcache_methods2 default_cache;

struct cache {
    sqlite3_pcache *inner;
    int page_size;
    /* The most pages it keeps, as SQLite has set it. */
    int limit;
    /* Pages of this transaction that were read from row to row. */
    int scanned;
    /* The page that goes when SQLite is through with it. */
    const sqlite3_pcache_page *passing;
};

static struct cache *own(sqlite3_pcache *cache) { return (struct cache *)cache; }

static sqlite3_pcache *create(int size, int extra, int is_purgeable) {
    struct cache *cache = calloc(1, sizeof *cache);
    if (!cache) return NULL;
    cache->page_size = size;
    cache->inner = default_cache.xCreate(size, extra, is_purgeable);
    if (!cache->inner) {
        free(cache);
        return NULL;
    }
    return (sqlite3_pcache *)cache;
}

static void set_limit(sqlite3_pcache *cache, int limit) {
    own(cache)->limit = limit;
    default_cache.xCachesize(own(cache)->inner, limit);
}

static int count(sqlite3_pcache *cache) { return default_cache.xPagecount(own(cache)->inner); }

static sqlite3_pcache_page *fetch(sqlite3_pcache *handle, unsigned number, int may_create) {
    struct cache *cache = own(handle);
    sqlite3_pcache_page *page = default_cache.xFetch(cache->inner, number, may_create);
    const unsigned rows = roost_rows_looked_at;
    roost_rows_looked_at = 0;
    /* Each transaction begins with the first page. */
    if (number == 1) cache->scanned = 0;
    if (!page || rows < ROWS_OF_A_SCAN) return page;
    cache->scanned++;
    /* A new page begins with a null pointer, and SQLite reads it in next. */
    if (*(void **)page->pExtra) {
        /* An address that is none of this page's would do no harm. */
        for (int i = cache->page_size - CACHE_LINE; i >= 0; i -= CACHE_LINE)
            __builtin_prefetch((const char *)page->pBuf + i);
    } else if (cache->scanned > cache->limit / 4 * 3) {
        cache->passing = page;
    }
    return page;
}

static void unpin(sqlite3_pcache *cache, sqlite3_pcache_page *page, int is_discarded) {
    if (page == own(cache)->passing) {
        own(cache)->passing = NULL;
        is_discarded = 1;
    }
    default_cache.xUnpin(own(cache)->inner, page, is_discarded);
}

static void move(sqlite3_pcache *cache, sqlite3_pcache_page *page, unsigned old_number, unsigned new_number) {
    default_cache.xRekey(own(cache)->inner, page, old_number, new_number);
}

static void truncate_from(sqlite3_pcache *cache, unsigned number) { default_cache.xTruncate(own(cache)->inner, number); }

static void destroy(sqlite3_pcache *cache) {
    default_cache.xDestroy(own(cache)->inner);
    free(cache);
}

static void shrink(sqlite3_pcache *cache) { default_cache.xShrink(own(cache)->inner); }

int roost_set_up_page_cache(void) {
    int code = sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &default_cache);
    if (code != SQLITE_OK) return code;
    sqlite3_pcache_methods2 methods = default_cache;
    methods.xCreate = create;
    methods.xCachesize = set_limit;
    methods.xPagecount = count;
    methods.xFetch = fetch;
    methods.xUnpin = unpin;
    methods.xRekey = move;
    methods.xTruncate = truncate_from;
    methods.xDestroy = destroy;
    methods.xShrink = shrink;
    return sqlite3_config(SQLITE_CONFIG_PCACHE2, &methods);
}
