#ifndef ROOST_MEMBERS_H
#define ROOST_MEMBERS_H

#include <stddef.h>

enum member { MEMBER, NO_MORE, NOT_PLAIN };

/* Finds the next member of a JSON array of plain texts: nothing in them is escaped, and spaces alone are between them.
 *
 *   place    1 for the first; moved on.
 *   start    the member's first byte; what end gets is behind its last.
 *
 * NOT_PLAIN for whatever is no such array, or no array at all; then nothing is known of the members found before. */
static inline enum member next_member(
    const unsigned char *list, size_t length, size_t *place, size_t *start, size_t *end) {
    size_t i = *place;
    if (i == 1 && (length < 2 || list[0] != '[' || list[length - 1] != ']')) return NOT_PLAIN;
    /* The closing bracket at the end is where each of these loops ends at the latest. */
    while (list[i] == ' ') i++;
    if (list[i] == ']') return i == length - 1 ? NO_MORE : NOT_PLAIN;
    if (*place > 1) {
        if (list[i] != ',') return NOT_PLAIN;
        do i++; while (list[i] == ' ');
    }
    if (list[i] != '"') return NOT_PLAIN;
    *start = ++i;
    for (; list[i] != '"'; i++)
        if (list[i] < 0x20 || list[i] == '\\' || i == length - 1) return NOT_PLAIN;
    *end = i;
    *place = i + 1;
    return MEMBER;
}

#endif
