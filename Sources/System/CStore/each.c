#include "cstore.h"

#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "scan.h"

/* The table-valued function roost_each (sqlite.org/vtab.html, 2.1.2). */

typedef struct {
    sqlite3_vtab base;
    sqlite3 *db;
    /* Asks SQLite for the members of what is no array of plain texts. Kept for the next one. */
    sqlite3_stmt *slow;
    int is_slow_lent;
} table;

typedef struct {
    sqlite3_vtab_cursor base;
    enum { PLAIN, ONE_TEXT, ONE_NULL, SLOW } kind;
    int is_at_end;
    sqlite3_int64 row;
    sqlite3_stmt *slow;
    /* The current member of the list. */
    size_t place, start, end;
    size_t length, capacity;
    unsigned char *list;
    unsigned char first_list[256];
} cursor;

static const char *const slow_query =
    "SELECT value, ?1 FROM json_each(CASE WHEN iif(json_valid(?1), json_type(?1) = 'array', FALSE) THEN ?1 ELSE json_array(?1) END)";

static int connect_table(
    sqlite3 *db, void *data, int count, const char *const *arguments, sqlite3_vtab **result, char **message) {
    (void)data, (void)count, (void)arguments, (void)message;
    int code = sqlite3_declare_vtab(db, "CREATE TABLE x (value, list HIDDEN)");
    if (code != SQLITE_OK) return code;
    sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    table *made = calloc(1, sizeof *made);
    if (!made) return SQLITE_NOMEM;
    made->db = db;
    *result = &made->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *base) {
    sqlite3_finalize(((table *)base)->slow);
    free(base);
    return SQLITE_OK;
}

/* Costs what json_each says that it costs, so that the planner chooses alike. */
static int best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
    (void)base;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != 1 || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
        if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        info->estimatedCost = 1;
        info->idxNum = 1;
        return SQLITE_OK;
    }
    info->estimatedCost = 1e99;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **result) {
    (void)base;
    cursor *made = malloc(sizeof *made);
    if (!made) return SQLITE_NOMEM;
    memset(made, 0, offsetof(cursor, first_list));
    made->list = made->first_list;
    made->capacity = sizeof made->first_list;
    made->is_at_end = 1;
    *result = &made->base;
    return SQLITE_OK;
}

static void end_slow(cursor *self) {
    if (!self->slow) return;
    table *table = (void *)self->base.pVtab;
    if (self->slow == table->slow) {
        sqlite3_reset(self->slow);
        sqlite3_clear_bindings(self->slow);
        table->is_slow_lent = 0;
    } else {
        sqlite3_finalize(self->slow);
    }
    self->slow = NULL;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
    cursor *self = (void *)base;
    end_slow(self);
    if (self->list != self->first_list) free(self->list);
    free(self);
    return SQLITE_OK;
}

static int fail(cursor *self, int code) {
    table *table = (void *)self->base.pVtab;
    sqlite3_free(table->base.zErrMsg);
    table->base.zErrMsg = sqlite3_mprintf("%s", sqlite3_errmsg(table->db));
    return code;
}

static int begin_slow(cursor *self, sqlite3_value *value) {
    table *table = (void *)self->base.pVtab;
    if (!table->slow || table->is_slow_lent) {
        int code = sqlite3_prepare_v2(table->db, slow_query, -1, &self->slow, NULL);
        if (code != SQLITE_OK) return fail(self, code);
        if (!table->slow) table->slow = self->slow;
    } else {
        self->slow = table->slow;
    }
    if (self->slow == table->slow) table->is_slow_lent = 1;
    int code = sqlite3_bind_value(self->slow, 1, value);
    return code == SQLITE_OK ? SQLITE_OK : fail(self, code);
}

static int keep_list(cursor *self, const unsigned char *list, size_t length) {
    if (length > self->capacity) {
        unsigned char *larger = malloc(length);
        if (!larger) return SQLITE_NOMEM;
        if (self->list != self->first_list) free(self->list);
        self->list = larger;
        self->capacity = length;
    }
    memcpy(self->list, list, length);
    self->length = length;
    return SQLITE_OK;
}

static int is_without_controls(const unsigned char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (text[i] < 0x20) return 0;
    return 1;
}

static int is_plain(const unsigned char *list, size_t length) {
    size_t place = 1, start, end;
    enum member found;
    do found = next_member(list, length, &place, &start, &end); while (found == MEMBER);
    return found == NO_MORE;
}

static int next(sqlite3_vtab_cursor *base) {
    cursor *self = (void *)base;
    self->row++;
    switch (self->kind) {
    case PLAIN:
        self->is_at_end = next_member(self->list, self->length, &self->place, &self->start, &self->end) != MEMBER;
        return SQLITE_OK;
    case SLOW: {
        int code = sqlite3_step(self->slow);
        self->is_at_end = code != SQLITE_ROW;
        return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : fail(self, code);
    }
    default:
        self->is_at_end = self->row > 1;
        return SQLITE_OK;
    }
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int count, sqlite3_value **arguments) {
    (void)unused;
    cursor *self = (void *)base;
    roost_rows_looked_at++;
    end_slow(self);
    self->row = 0;
    self->is_at_end = 1;
    if (plan != 1 || count < 1) return SQLITE_OK;
    int type = sqlite3_value_type(arguments[0]), code = SQLITE_OK;
    const unsigned char *text = type == SQLITE_TEXT ? sqlite3_value_text(arguments[0]) : NULL;
    size_t length = text ? (size_t)sqlite3_value_bytes(arguments[0]) : 0;
    if (type == SQLITE_NULL) {
        self->kind = ONE_NULL;
    } else if (text && is_plain(text, length)) {
        self->kind = PLAIN;
        self->place = 1;
        code = keep_list(self, text, length);
    } else if (text && (length == 0 || text[0] > ' ') && text[0] != '[' && is_without_controls(text, length)) {
        self->kind = ONE_TEXT;
        self->start = 0;
        self->end = length;
        code = keep_list(self, text, length);
    } else {
        self->kind = SLOW;
        code = begin_slow(self, arguments[0]);
    }
    return code == SQLITE_OK ? next(base) : code;
}

static int is_at_end(sqlite3_vtab_cursor *base) { return ((cursor *)base)->is_at_end; }

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    cursor *self = (void *)base;
    if (self->kind == ONE_NULL) {
        sqlite3_result_null(context);
    } else if (self->kind == SLOW) {
        sqlite3_result_value(context, sqlite3_column_value(self->slow, number));
    } else if (number == 1) {
        /* Asked for where SQLite compares the argument itself, as it does among many conditions. */
        sqlite3_result_text(context, (const char *)self->list, (int)self->length, SQLITE_TRANSIENT);
    } else {
        sqlite3_result_text(
            context, (const char *)self->list + self->start, (int)(self->end - self->start), SQLITE_TRANSIENT);
    }
    return SQLITE_OK;
}

static int row_number(sqlite3_vtab_cursor *base, sqlite3_int64 *number) {
    *number = ((cursor *)base)->row;
    return SQLITE_OK;
}

int roost_add_each(sqlite3 *db) {
    static const sqlite3_module module = {
        .iVersion = 0,
        .xConnect = connect_table,
        .xBestIndex = best_index,
        .xDisconnect = disconnect_table,
        .xOpen = open_cursor,
        .xClose = close_cursor,
        .xFilter = filter,
        .xNext = next,
        .xEof = is_at_end,
        .xColumn = column,
        .xRowid = row_number,
    };
    return sqlite3_create_module_v2(db, "roost_each", &module, NULL, NULL);
}
