/* Starting helper programs, with what glibc has for it beyond POSIX. */
#ifndef ROOST_CSPAWN_H
#define ROOST_CSPAWN_H

#include <stdint.h>

/* Starts a program with a file for standard input, nowhere to write to, and nothing else of this process: no other file,
 * no blocked signal, no changed signal handling, and a process group of its own.
 *
 * Returns the process, or a negative errno. */
int32_t roost_spawn(const char *program, char *const arguments[], char *const environment[], int32_t input);

/* The path of the library or program that an address belongs to; NULL when none does. OWNERSHIP: the loader's. */
const char *roost_library_of(const void *address);

#endif
