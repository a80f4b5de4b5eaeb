/* Functions of SQL in which queries spend their time. */
#ifndef ROOST_CSTORE_H
#define ROOST_CSTORE_H

#include <sqlite3.h>
#include <stdint.h>

/* Adds to a connection
 *
 *   roost_like(value, pattern)      value LIKE pattern ESCAPE '\', with a quick search where the pattern says "contains";
 *   roost_members(list, text)       for a JSON array of plain texts: 1 if one of them is the text, plus 2 if one is another;
 *                                   NULL for whatever else, which says nothing;
 *   roost_counted()                 0, and adds one to the counter;
 *   roost_each(value)               a table of one column "value": the members of a JSON array as json_each gives them, or
 *                                   the value itself where it is none; quick for arrays of plain texts. Not for views.
 *
 *   counter   OWNERSHIP: the caller's, as long as the connection lives. */
int roost_add_functions(sqlite3 *db, int64_t *counter);

/* Has pages that are read from row to row fetched whole from memory. Only before SQLite's first connection. */
int roost_set_up_page_cache(void);

#endif
