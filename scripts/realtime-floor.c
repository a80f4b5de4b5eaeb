/*
 * What the kernel asks for sending 500 bytes to each of N clients on the loopback interface, and nothing else: the least
 * that a delivery can cost. Prints CPU microseconds for each send, with one system call each (0) or Roost's batches (1).
 * As many rounds as scripts/bench-realtime has writes: new connections acknowledge each of their first pieces at once, which
 * is a third of the cost and is done in the sender's time.
 *
 *     floor CLIENTS ROUNDS 0|1
 *     cc -O2 -I Sources/System/CSocketBatch/include scripts/realtime-floor.c Sources/System/CSocketBatch/csocketbatch.c
 */
#include <csocketbatch.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 500, BATCH = 64 };

static double cpu(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void read_all(struct sockaddr_in *address, int count) {
    int epoll = epoll_create1(0), open = count;
    for (int i = 0; i < count; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client, (struct sockaddr *)address, sizeof *address) != 0) _exit(1);
        struct epoll_event event = { .events = EPOLLIN, .data.fd = client };
        epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event);
    }
    static char buffer[65536];
    struct epoll_event events[64];
    while (open > 0) {
        int found = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < found; i++) {
            if (recv(events[i].data.fd, buffer, sizeof buffer, 0) > 0) continue;
            close(events[i].data.fd);
            open--;
        }
    }
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int count = atoi(argv[1]), rounds = atoi(argv[2]), batched = atoi(argv[3]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 4096) != 0) return 1;
    getsockname(listener, (struct sockaddr *)&address, &length);
    pid_t reader = fork();
    if (reader == 0) read_all(&address, count);
    int *clients = calloc((size_t)count, sizeof *clients), one = 1;
    for (int i = 0; i < count; i++) {
        clients[i] = accept(listener, NULL, NULL);
        setsockopt(clients[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    char message[SIZE];
    memset(message, 'x', SIZE);
    usleep(300000);
    double before = 0;
    roost_socket_batch *batch = roost_socket_batch_open(BATCH, 1);
    /* One more, which is not counted. */
    for (int round = 0; round <= rounds; round++) {
        if (round == 1) before = cpu();
        for (int i = 0; i < count; i++) {
            if (!batched) {
                roost_socket_send(clients[i], NULL, 0, message, SIZE);
                continue;
            }
            roost_socket_batch_add(batch, clients[i], NULL, 0, message, SIZE);
            if ((i + 1) % BATCH == 0 || i + 1 == count) roost_socket_batch_run(batch);
        }
        usleep(100000);
    }
    double used = (cpu() - before) / count / rounds * 1e6;
    roost_socket_batch_close(batch);
    printf("%.1f\n", used);
    for (int i = 0; i < count; i++) close(clients[i]);
    waitpid(reader, NULL, 0);
    return 0;
}
