#include "cstore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "scan.h"

/* roost_like */

typedef unsigned char block __attribute__((vector_size(16)));

/* A pattern that says "contains": a percent sign, a text, a percent sign. ASCII letters of the text are small.
 *
 * A text with other letters is left to SQLite, unless there is none of those to be found: what it makes of bytes that are no
 * UTF-8 cannot be told from looking at them. */
typedef struct {
    enum { PATTERN, TEXT, ASCII_TEXT } kind;
    size_t length;
    unsigned char text[];
} needle;

static unsigned char small(unsigned char byte) { return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte; }

static needle *make_needle(const unsigned char *pattern) {
    size_t length = strlen((const char *)pattern);
    needle *result = malloc(sizeof *result + length);
    if (!result) return NULL;
    result->kind = PATTERN;
    result->length = 0;
    if (length < 2 || pattern[0] != '%' || pattern[length - 1] != '%') return result;
    unsigned char high = 0;
    for (size_t i = 1; i < length - 1; i++) {
        unsigned char byte = pattern[i];
        if (byte == '%' || byte == '_') return result;
        if (byte == '\\') {
            /* The last percent sign is a character then. */
            if (++i == length - 1) return result;
            byte = pattern[i];
        }
        high |= byte;
        result->text[result->length++] = small(byte);
    }
    result->kind = high < 0x80 ? ASCII_TEXT : TEXT;
    return result;
}

static int begins_with(const unsigned char *text, const needle *needle) {
    for (size_t i = 0; i < needle->length; i++)
        if (small(text[i]) != needle->text[i]) return 0;
    return 1;
}

/* Each byte of both, whatever the case of letters, is 0xFF where it is the one looked for. */
static block equals(block bytes, unsigned char byte) {
    block wanted = (block){0} + byte;
    if (byte < 'a' || byte > 'z') return (block)(bytes == wanted);
    return (block)((bytes | 0x20) == wanted);
}

/* Looks for the first and the last byte of the text at their distance, sixteen places at a time.
 *
 * Returns the place, or length when there is none. */
static size_t find(const unsigned char *text, size_t length, const needle *needle) {
    size_t size = needle->length;
    if (size == 0) return 0;
    if (length < size) return length;
    size_t places = length - size + 1, i = 0;
    unsigned char first = needle->text[0], last = needle->text[size - 1];
    if (places < 16) {
        for (; i < places; i++)
            if (small(text[i]) == first && begins_with(text + i, needle)) return i;
        return length;
    }
    for (;;) {
        block a, b;
        memcpy(&a, text + i, 16);
        memcpy(&b, text + i + size - 1, 16);
        block both = equals(a, first) & equals(b, last);
        uint64_t halves[2];
        memcpy(halves, &both, 16);
        for (size_t half = 0; half < 2; half++)
            for (uint64_t places_found = halves[half]; places_found;) {
                size_t k = (size_t)__builtin_ctzll(places_found) / 8;
                if (begins_with(text + i + half * 8 + k, needle)) return i + half * 8 + k;
                places_found &= ~((uint64_t)0xFF << (k * 8));
            }
        i += 16;
        if (i == places) return length;
        /* The last block reaches back over places that were looked at. */
        if (i + 16 > places) {
            if (i > places) return length;
            i = places - 16;
        }
    }
}

static int is_ascii(const unsigned char *text, size_t length) {
    unsigned char high = 0;
    for (size_t i = 0; i < length; i++) high |= text[i];
    return high < 0x80;
}

/* Whether a text has another in it. A text ends at its first zero byte, for LIKE. */
static int contains(const unsigned char *text, size_t length, const needle *needle) {
    size_t place = find(text, length, needle);
    if (needle->length == 0) return 1;
    return place < length && !memchr(text, 0, place);
}

/* Follows likeFunc of SQLite's func.c, as Debian builds it: a blob is like nothing. */
static void like(sqlite3_context *context, int count, sqlite3_value **arguments) {
    (void)count;
    roost_rows_looked_at++;
    needle *needle = sqlite3_get_auxdata(context, 1);
    int is_new = !needle;
    if (sqlite3_value_type(arguments[0]) == SQLITE_BLOB || (is_new && sqlite3_value_type(arguments[1]) == SQLITE_BLOB))
        return sqlite3_result_int(context, 0);
    const unsigned char *pattern = NULL;
    if (is_new || needle->kind != ASCII_TEXT) {
        pattern = sqlite3_value_text(arguments[1]);
        int limit = sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LIKE_PATTERN_LENGTH, -1);
        if (sqlite3_value_bytes(arguments[1]) > limit)
            return sqlite3_result_error(context, "LIKE or GLOB pattern too complex", -1);
        if (!pattern) return;
    }
    const unsigned char *text = sqlite3_value_text(arguments[0]);
    if (!text) return;
    if (is_new && !(needle = make_needle(pattern))) return sqlite3_result_error_nomem(context);
    size_t length = sqlite3_value_bytes(arguments[0]);
    int found = 0;
    if (needle->kind == ASCII_TEXT)
        found = contains(text, length, needle);
    else if (needle->kind == PATTERN || !is_ascii(text, length))
        found = sqlite3_strlike((const char *)pattern, (const char *)text, '\\') == 0;
    sqlite3_result_int(context, found);
    /* Kept for the next row when the pattern is the same for all; freed otherwise. */
    if (is_new) sqlite3_set_auxdata(context, 1, needle, free);
}

/* roost_members */

enum { SAME = 1, OTHER = 2, UNKNOWN = -1 };

static int members(const unsigned char *list, size_t length, const unsigned char *text, size_t text_length) {
    size_t place = 1, start, end;
    for (int result = 0;;) {
        switch (next_member(list, length, &place, &start, &end)) {
        case MEMBER:
            result |= end - start == text_length && memcmp(list + start, text, text_length) == 0 ? SAME : OTHER;
            break;
        case NO_MORE: return result;
        case NOT_PLAIN: return UNKNOWN;
        }
    }
}

static void list_members(sqlite3_context *context, int count, sqlite3_value **arguments) {
    (void)count;
    roost_rows_looked_at++;
    if (sqlite3_value_type(arguments[0]) != SQLITE_TEXT || sqlite3_value_type(arguments[1]) != SQLITE_TEXT) return;
    const unsigned char *list = sqlite3_value_text(arguments[0]), *text = sqlite3_value_text(arguments[1]);
    if (!list || !text) return;
    int result = members(
        list, sqlite3_value_bytes(arguments[0]), text, sqlite3_value_bytes(arguments[1]));
    if (result != UNKNOWN) sqlite3_result_int(context, result);
}

/* roost_counted */

static void counted(sqlite3_context *context, int count, sqlite3_value **arguments) {
    (void)count, (void)arguments;
    ++*(int64_t *)sqlite3_user_data(context);
    sqlite3_result_int(context, 0);
}

int roost_add_each(sqlite3 *db);

int roost_add_functions(sqlite3 *db, int64_t *counter) {
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    int code = sqlite3_create_function_v2(db, "roost_like", 2, flags, NULL, like, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_create_function_v2(db, "roost_members", 2, flags, NULL, list_members, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_create_function_v2(
            db, "roost_counted", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, counter, counted, NULL, NULL, NULL);
    if (code == SQLITE_OK) code = roost_add_each(db);
    return code;
}
