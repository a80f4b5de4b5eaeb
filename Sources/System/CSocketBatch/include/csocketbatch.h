/* Sending to many sockets with one system call (io_uring), or with one for each where the kernel does not have or does not
 * allow it. Nothing here waits for a client: what a socket does not take at once is not sent. */
#ifndef ROOST_CSOCKETBATCH_H
#define ROOST_CSOCKETBATCH_H

#include <stddef.h>
#include <stdint.h>

/* A gathering of sends. It belongs to the thread that opened it. */
typedef struct roost_socket_batch roost_socket_batch;

/* `capacity` sends at most, a power of two; without a ring, each is a system call. NULL: no memory. */
roost_socket_batch *roost_socket_batch_open(uint32_t capacity, int32_t with_ring);
/* 1 when the kernel gave a ring. */
int32_t roost_socket_batch_has_ring(const roost_socket_batch *batch);
void roost_socket_batch_close(roost_socket_batch *batch);

/* Adds a send of two pieces, one behind the other; the first may be empty. A socket must not be in it twice, and the
 * bytes must stay until `run`. */
void roost_socket_batch_add(
    roost_socket_batch *batch, int32_t socket, const void *first, size_t first_size, const void *second,
    size_t second_size);

/* Sends everything and empties the batch. Returns the results in the order of the additions, until the next addition:
 * how many bytes a socket took, or a negative errno; INT64_MIN when that is not known. */
const int64_t *roost_socket_batch_run(roost_socket_batch *batch);

/* One send at once, with the same results. */
int64_t roost_socket_send(
    int32_t socket, const void *first, size_t first_size, const void *second, size_t second_size);

/* Begins to bring memory that is wanted soon into the processor's caches. Any address will do. */
static inline void roost_prefetch(const void *address) { __builtin_prefetch(address); }

#endif
