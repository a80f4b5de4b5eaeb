#include <sqlite3.h>
#include <stdint.h>

/* SQLite's destructor constants are casts of integers, which Swift does not import. */
static inline sqlite3_destructor_type roost_sqlite_transient(void) { return SQLITE_TRANSIENT; }
static inline sqlite3_destructor_type roost_sqlite_static(void) { return SQLITE_STATIC; }

/* sqlite3_db_config and sqlite3_config are variadic. */
static inline int roost_sqlite_set_dqs(sqlite3 *db, int on) {
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, on, (int *)0);
    return sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, on, (int *)0);
}
/* Memory statistics cost a lock shared by all connections at each allocation (SQLITE_CONFIG_MEMSTATUS).
 * Only before the first connection; later it changes nothing. */
static inline int roost_sqlite_leave_out_statistics(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }
static inline int roost_sqlite_keep_log_on_close(sqlite3 *db, int keeps) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keeps, (int *)0);
}
/* Reads the database's file by the handle that SQLite has open: another descriptor, once closed, would take the process's
 * locks on the file with it. -1 on failure. */
static inline int roost_sqlite_read_file(sqlite3 *db, void *buffer, int length, sqlite3_int64 offset) {
    sqlite3_file *file = 0;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file || !file->pMethods)
        return -1;
    return file->pMethods->xRead(file, buffer, length, offset) == SQLITE_OK ? length : -1;
}
static inline int roost_sqlite_set_defensive(sqlite3 *db, int on) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, on, (int *)0);
}
/* The header of the write-ahead log's index (sqlite.org/walformat.html, 2.3.1), which each commit of any process changes: two
 * that are equal tell of equal content.
 *
 *   words   gets six.
 *
 * 0 where there is none, or one is being written. The memory is what the connection has mapped already: nothing is read or
 * locked. */
static inline int roost_sqlite_log_header(sqlite3 *db, uint64_t *words) {
    sqlite3_file *file = 0;
    void volatile *index = 0;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file || !file->pMethods)
        return 0;
    if (file->pMethods->iVersion < 2 || !file->pMethods->xShmMap
        || file->pMethods->xShmMap(file, 0, 32768, 0, &index) != SQLITE_OK || !index)
        return 0;
    /* Written twice, the second copy first; they agree when nobody is writing. */
    const uint64_t volatile *copies = (const uint64_t volatile *)index;
    for (int i = 0; i < 6; i++) words[i] = copies[i];
    __sync_synchronize();
    for (int i = 0; i < 6; i++)
        if (words[i] != copies[6 + i]) return 0;
    /* isInit */
    return ((const unsigned char *)words)[12] != 0;
}
