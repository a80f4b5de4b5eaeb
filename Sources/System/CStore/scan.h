#ifndef ROOST_SCAN_H
#define ROOST_SCAN_H

/* The rows that this thread has looked at since it went to a page of a database last: what is called for each row of a scan
 * adds one, and the page cache, told by it that the pages are read from row to row, fetches them whole. */
extern _Thread_local unsigned roost_rows_looked_at;

#endif
