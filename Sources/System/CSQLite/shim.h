#include <sqlite3.h>

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
static inline int roost_sqlite_keep_log_on_close(sqlite3 *db) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}
static inline int roost_sqlite_set_defensive(sqlite3 *db, int on) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, on, (int *)0);
}
