#define _GNU_SOURCE
#include "csocketbatch.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#define COPIED 1024

/* The memory that is shared with the kernel, as io_uring(7) describes it. */
struct ring {
    int descriptor; /* -1: there is none */
    void *rings, *entries;
    size_t rings_size, entries_size;
    uint32_t *tail, *mask, *array, *done_head, *done_tail, *done_mask;
    struct io_uring_cqe *done;
};

/* Two pieces for one socket; short ones are copied together, which is cheaper than to tell the kernel of two. */
struct piece {
    struct msghdr message;
    struct iovec parts[2];
    uint8_t copy[COPIED];
};

struct roost_socket_batch {
    uint32_t capacity, count;
    struct ring ring;
    struct piece *pieces;
    int64_t *results;
};

static void ring_close(struct ring *ring) {
    if (ring->descriptor < 0) return;
    if (ring->entries) munmap(ring->entries, ring->entries_size);
    if (ring->rings) munmap(ring->rings, ring->rings_size);
    close(ring->descriptor);
    memset(ring, 0, sizeof *ring);
    ring->descriptor = -1;
}

static int ring_open(struct ring *ring, uint32_t capacity) {
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof parameters);
    parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
    memset(ring, 0, sizeof *ring);
    ring->descriptor = -1;
    /* Under a filter of system calls one that it does not know may end the process. */
    if (prctl(PR_GET_SECCOMP) != 0) return 0;
    ring->descriptor = (int)syscall(SYS_io_uring_setup, capacity, &parameters);
    if (ring->descriptor < 0) return 0;
    if (!(parameters.features & IORING_FEAT_SINGLE_MMAP)) {
        ring_close(ring);
        return 0;
    }
    size_t of_array = parameters.sq_off.array + parameters.sq_entries * sizeof(uint32_t);
    size_t of_done = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
    ring->rings_size = of_array > of_done ? of_array : of_done;
    ring->entries_size = parameters.sq_entries * sizeof(struct io_uring_sqe);
    ring->rings = mmap(
        NULL, ring->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->descriptor, IORING_OFF_SQ_RING);
    ring->entries = mmap(
        NULL, ring->entries_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->descriptor, IORING_OFF_SQES);
    if (ring->rings == MAP_FAILED) ring->rings = NULL;
    if (ring->entries == MAP_FAILED) ring->entries = NULL;
    if (!ring->rings || !ring->entries) {
        ring_close(ring);
        return 0;
    }
    uint8_t *base = ring->rings;
    ring->tail = (uint32_t *)(base + parameters.sq_off.tail);
    ring->mask = (uint32_t *)(base + parameters.sq_off.ring_mask);
    ring->array = (uint32_t *)(base + parameters.sq_off.array);
    ring->done_head = (uint32_t *)(base + parameters.cq_off.head);
    ring->done_tail = (uint32_t *)(base + parameters.cq_off.tail);
    ring->done_mask = (uint32_t *)(base + parameters.cq_off.ring_mask);
    ring->done = (struct io_uring_cqe *)(base + parameters.cq_off.cqes);
    return 1;
}

roost_socket_batch *roost_socket_batch_open(uint32_t capacity, int32_t with_ring) {
    roost_socket_batch *batch = calloc(1, sizeof *batch);
    if (!batch) return NULL;
    batch->capacity = capacity;
    batch->pieces = calloc(capacity, sizeof *batch->pieces);
    batch->results = calloc(capacity, sizeof *batch->results);
    batch->ring.descriptor = -1;
    if (!batch->pieces || !batch->results) {
        roost_socket_batch_close(batch);
        return NULL;
    }
    if (with_ring) ring_open(&batch->ring, capacity);
    return batch;
}

int32_t roost_socket_batch_has_ring(const roost_socket_batch *batch) { return batch->ring.descriptor >= 0; }

void roost_socket_batch_close(roost_socket_batch *batch) {
    if (!batch) return;
    ring_close(&batch->ring);
    free(batch->pieces);
    free(batch->results);
    free(batch);
}

int64_t roost_socket_send(
    int32_t socket, const void *first, size_t first_size, const void *second, size_t second_size) {
    ssize_t sent;
    if (first_size == 0) {
        sent = send(socket, second, second_size, SEND_FLAGS);
    } else {
        struct iovec parts[2] = { { (void *)first, first_size }, { (void *)second, second_size } };
        struct msghdr message;
        memset(&message, 0, sizeof message);
        message.msg_iov = parts;
        message.msg_iovlen = 2;
        sent = sendmsg(socket, &message, SEND_FLAGS);
    }
    return sent < 0 ? -errno : sent;
}

void roost_socket_batch_add(
    roost_socket_batch *batch, int32_t socket, const void *first, size_t first_size, const void *second,
    size_t second_size) {
    if (batch->count == batch->capacity) return;
    uint32_t index = batch->count++;
    struct ring *ring = &batch->ring;
    if (ring->descriptor < 0) {
        batch->results[index] = roost_socket_send(socket, first, first_size, second, second_size);
        return;
    }
    batch->results[index] = INT64_MIN;
    uint32_t place = (*ring->tail + index) & *ring->mask;
    struct io_uring_sqe *entry = (struct io_uring_sqe *)ring->entries + place;
    memset(entry, 0, sizeof *entry);
    entry->fd = socket;
    entry->msg_flags = SEND_FLAGS;
    entry->user_data = index;
    struct piece *piece = &batch->pieces[index];
    if (first_size == 0 || first_size + second_size <= COPIED) {
        if (first_size > 0) {
            memcpy(piece->copy, first, first_size);
            if (second_size > 0) memcpy(piece->copy + first_size, second, second_size);
            second = piece->copy;
            second_size += first_size;
        }
        entry->opcode = IORING_OP_SEND;
        entry->addr = (uint64_t)(uintptr_t)second;
        entry->len = (uint32_t)second_size;
    } else {
        piece->parts[0] = (struct iovec) { (void *)first, first_size };
        piece->parts[1] = (struct iovec) { (void *)second, second_size };
        memset(&piece->message, 0, sizeof piece->message);
        piece->message.msg_iov = piece->parts;
        piece->message.msg_iovlen = 2;
        entry->opcode = IORING_OP_SENDMSG;
        entry->addr = (uint64_t)(uintptr_t)&piece->message;
        entry->len = 1;
    }
    ring->array[place] = place;
}

/* Takes the results that are there, and returns how many they were. */
static uint32_t collect(roost_socket_batch *batch) {
    struct ring *ring = &batch->ring;
    uint32_t head = *ring->done_head, tail = __atomic_load_n(ring->done_tail, __ATOMIC_ACQUIRE), found = 0;
    for (; head != tail; head++, found++) {
        const struct io_uring_cqe *one = &ring->done[head & *ring->done_mask];
        if (one->user_data < batch->capacity) batch->results[one->user_data] = one->res;
    }
    __atomic_store_n(ring->done_head, head, __ATOMIC_RELEASE);
    return found;
}

const int64_t *roost_socket_batch_run(roost_socket_batch *batch) {
    const uint32_t count = batch->count;
    uint32_t waiting = count, unsent = count;
    struct ring *ring = &batch->ring;
    batch->count = 0;
    if (ring->descriptor < 0 || count == 0) return batch->results;
    __atomic_store_n(ring->tail, *ring->tail + unsent, __ATOMIC_RELEASE);
    while (waiting > 0) {
        int taken = (int)syscall(
            SYS_io_uring_enter, ring->descriptor, unsent, waiting, IORING_ENTER_GETEVENTS, NULL, 0);
        if (taken < 0 && errno != EINTR) {
            /* There is no memory or no permission left for it: from now on, one call for each. */
            waiting -= collect(batch);
            for (uint32_t index = count - unsent; index < count; index++) batch->results[index] = -EAGAIN;
            ring_close(ring);
            break;
        }
        if (taken > 0) unsent -= (uint32_t)taken;
        waiting -= collect(batch);
    }
    return batch->results;
}
