/* Load on a SOCKS5 or HTTP proxy from the outside: two threads, one for the clients and one for the origin they reach
 * through the proxy, each an epoll loop that never blocks and touches no byte that it need not touch.
 *
 *   load --port P --clients C --requests N --bytes B [--up | --pages] [--hold]
 *
 * A request is: connect, SOCKS5 without authentication to the origin on 127.0.0.1, 9 bytes that say what is
 * wanted, then B bytes down until the origin closes, or B bytes up and one byte of receipt. With --pages the proxy
 * is one for HTTP, and a request is a GET for B bytes as browsers make it, on C connections that are kept. With
 * --hold they stay open, once all is printed, until standard input ends. What is carried is a pattern whose period is a prime, so a piece that is lost, doubled or out of place shows at the edges of the next
 * read; those are compared, and the count must be exact. Prints one JSON object; exit status 1 if a request failed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD = 65521, CHUNK = 1 << 17, EDGE = 64, HEADER = 9, HEAD = 2048, EVENTS = 256 };
enum state { GREETING, REQUEST, HEADING, SENDING, RECEIVING, RECEIPT, DONE, BAD };

struct peer {
    int fd;
    enum state state;
    uint64_t at, size;    /* bytes carried so far, and in all */
    unsigned char head[HEAD];
    int head_at;
    int armed;            /* what epoll watches for */
    double started;
};

static unsigned char pattern[PERIOD + CHUNK];
static struct { int proxy, origin, clients, requests, up, pages, hold; uint64_t size; } want = {1080, 0, 20, 2000, 0, 0, 0, 1024};
static char page_request[HEAD], page_head[HEAD]; /* what is said for each page */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what) {
    perror(what);
    exit(2);
}

static void watch(int loop, struct peer *p, int events) {
    struct epoll_event event = {.events = (uint32_t)events, .data.ptr = p};
    if (p->armed == events) return;
    if (epoll_ctl(loop, p->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, p->fd, &event)) die("epoll_ctl");
    p->armed = events;
}

static int matches(const unsigned char *data, uint64_t at, size_t n) {
    size_t edge = n < EDGE ? n : EDGE;
    return !memcmp(data, pattern + at % PERIOD, edge) &&
           !memcmp(data + n - edge, pattern + (at + n - edge) % PERIOD, edge);
}

/* Write as much of the pattern as goes; 1 when all is out, 0 for later, -1 on error. */
static int push(struct peer *p) {
    while (p->at < p->size) {
        uint64_t left = p->size - p->at;
        ssize_t n = write(p->fd, pattern + p->at % PERIOD, left < CHUNK ? left : CHUNK);
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        p->at += (uint64_t)n;
    }
    return 1;
}

/* Read and check; 1 when all has come (and, where `to_end`, the end behind it), 0 for later, -1 on error. */
static int pull(struct peer *p, unsigned char *buffer, int to_end) {
    for (;;) {
        if (!to_end && p->at == p->size) return 1;
        ssize_t n = read(p->fd, buffer, CHUNK);
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        if (n == 0) return p->at == p->size ? 1 : -1;
        if (p->at + (uint64_t)n > p->size || !matches(buffer, p->at, (size_t)n)) return -1;
        p->at += (uint64_t)n;
        if (n < CHUNK && !to_end && p->at < p->size) return 0;
    }
}

/* Collect exactly `n` bytes in p->head; 1 when they are there. */
static int gather(struct peer *p, int n) {
    while (p->head_at < n) {
        ssize_t k = read(p->fd, p->head + p->head_at, (size_t)(n - p->head_at));
        if (k < 0 && errno == EAGAIN) return 0;
        if (k <= 0) return -1;
        p->head_at += (int)k;
    }
    p->head_at = 0;
    return 1;
}

static int say(struct peer *p, const void *data, ssize_t n) { return write(p->fd, data, (size_t)n) == n ? 1 : -1; }

/* Collect an HTTP head in p->head and check what came along behind it; 1 when it is there. */
static int gather_head(struct peer *p) {
    for (;;) {
        ssize_t n = read(p->fd, p->head + p->head_at, (size_t)(HEAD - p->head_at));
        if (n < 0 && errno == EAGAIN) return 0;
        if (n <= 0) return -1;
        p->head_at += (int)n;
        unsigned char *end = memmem(p->head, (size_t)p->head_at, "\r\n\r\n", 4);
        if (!end) continue;
        p->at = (uint64_t)(p->head + p->head_at - (end + 4));
        p->head_at = 0;
        return matches(end + 4, 0, p->at) ? 1 : -1;
    }
}

/* ---- the origin: HEADING, then SENDING or RECEIVING, then closed; for pages HEADING again */

static int page_step(int loop, struct peer *p) {
    int r;
    if (p->state == HEADING) {
        if ((r = gather_head(p)) < 1) return r;
        struct iovec parts[] = {{page_head, strlen(page_head)}, {pattern, want.size < CHUNK ? want.size : CHUNK}};
        ssize_t n = writev(p->fd, parts, 2) - (ssize_t)parts[0].iov_len;
        if (n < 0) return -1;
        p->at = (uint64_t)n, p->size = want.size;
        p->state = SENDING;
    }
    if ((r = push(p)) < 0) return r;
    watch(loop, p, r ? EPOLLIN : EPOLLOUT);
    if (r) p->state = HEADING;
    return 0;
}

static int origin_step(int loop, struct peer *p, unsigned char *buffer) {
    int r;
    if (want.pages) return page_step(loop, p);
    if (p->state == HEADING) {
        if ((r = gather(p, HEADER)) < 1) return r;
        memcpy(&p->size, p->head + 1, 8);
        p->state = p->head[0] == 'd' ? SENDING : RECEIVING;
    }
    if (p->state == SENDING) {
        if ((r = push(p)) == 0) watch(loop, p, EPOLLOUT);
        return r;
    }
    if ((r = pull(p, buffer, 0)) == 1) r = say(p, "k", 1);
    return r;
}

static void *run_origin(void *arg) {
    int listener = *(int *)arg, loop = epoll_create1(0), one = 1;
    unsigned char *buffer = malloc(CHUNK);
    struct peer door = {.fd = listener};
    struct epoll_event events[EVENTS];
    watch(loop, &door, EPOLLIN);
    for (;;) {
        int n = epoll_wait(loop, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct peer *p = events[i].data.ptr;
            if (p == &door) {
                int fd;
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    struct peer *fresh = calloc(1, sizeof *fresh);
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    fresh->fd = fd, fresh->state = HEADING;
                    watch(loop, fresh, EPOLLIN);
                }
            } else if (origin_step(loop, p, buffer)) {
                close(p->fd);
                free(p);
            }
        }
    }
    return NULL;
}

/* ---- the clients */

static void begin(int loop, struct peer *p) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)want.proxy),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    *p = (struct peer){.state = GREETING, .size = want.size, .started = now()};
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (p->fd < 0) die("socket");
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* On loopback connect does not wait for the accept, so it may as well block. */
    const char *hello = want.pages ? page_request : "\5\1\0";
    if (connect(p->fd, (struct sockaddr *)&to, sizeof to) || say(p, hello, want.pages ? (ssize_t)strlen(hello) : 3) < 0)
        die("the proxy does not answer");
    if (want.pages) p->state = HEADING;
    fcntl(p->fd, F_SETFL, O_NONBLOCK);
    watch(loop, p, EPOLLIN);
}

/* Ask for the next page on a connection that is kept. */
static void ask_again(struct peer *p) {
    p->state = say(p, page_request, (ssize_t)strlen(page_request)) < 0 ? BAD : HEADING;
    p->started = now();
}

static enum state client_step(int loop, struct peer *p, unsigned char *buffer) {
    int r = 1;
    if (p->state == GREETING) {
        unsigned char open_it[10] = {5, 1, 0, 1, 127, 0, 0, 1, (unsigned char)(want.origin >> 8), (unsigned char)want.origin};
        if ((r = gather(p, 2)) < 1) return r ? BAD : p->state;
        if (p->head[1] != 0 || say(p, open_it, sizeof open_it) < 0) return BAD;
        return p->state = REQUEST;
    }
    if (p->state == REQUEST) {
        unsigned char header[HEADER] = {want.up ? 'u' : 'd'};
        memcpy(header + 1, &want.size, 8);
        if ((r = gather(p, 10)) < 1) return r ? BAD : p->state;
        if (p->head[1] != 0 || say(p, header, HEADER) < 0) return BAD;
        p->state = want.up ? SENDING : RECEIVING;
    }
    if (p->state == SENDING) {
        if ((r = push(p)) < 0) return BAD;
        watch(loop, p, r ? EPOLLIN : EPOLLOUT);
        return r ? (p->state = RECEIPT) : p->state;
    }
    if (p->state == HEADING) {
        if ((r = gather_head(p)) < 1) return r ? BAD : p->state;
        if (memcmp(p->head, "HTTP/1.1 200", 12)) return BAD;
        p->state = RECEIVING;
    }
    if (p->state == RECEIVING) r = pull(p, buffer, !want.pages);
    else if (p->state == RECEIPT && (r = gather(p, 1)) == 1 && p->head[0] != 'k') r = -1;
    return r < 0 ? BAD : r ? DONE : p->state;
}

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static void run_clients(void) {
    int loop = epoll_create1(0), started = 0, ended = 0, failed = 0;
    unsigned char *buffer = malloc(CHUNK);
    double *latency = calloc((size_t)want.requests, sizeof *latency);
    struct peer *peers = calloc((size_t)want.clients, sizeof *peers);
    struct epoll_event events[EVENTS];
    double begun = now();
    while (started < want.clients && started < want.requests) begin(loop, &peers[started++]);
    while (ended < want.requests) {
        int n = epoll_wait(loop, events, EVENTS, 60000);
        if (n == 0) break; /* nothing for a minute: what is missing has failed */
        for (int i = 0; i < n; i++) {
            struct peer *p = events[i].data.ptr;
            enum state after = client_step(loop, p, buffer);
            if (after != DONE && after != BAD) continue;
            failed += after == BAD;
            latency[ended++] = (now() - p->started) * 1e3;
            if (want.hold) continue;
            if (want.pages && after == DONE && started < want.requests) {
                started++, ask_again(p);
                continue;
            }
            close(p->fd);
            if (started < want.requests) started++, begin(loop, p);
        }
    }
    double took = now() - begun;
    failed += want.requests - ended;
    qsort(latency, (size_t)ended, sizeof *latency, by_value);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"requests\": %d, \"failed\": %d, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
           want.requests, failed, took, cpu, ended ? latency[ended / 2] : 0, ended ? latency[(int)(ended * .99)] : 0);
    fflush(stdout);
    if (want.hold) while (read(0, buffer, CHUNK) > 0) continue;
    exit(failed > 0);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--up")) { want.up = 1; continue; }
        if (!strcmp(argv[i], "--pages")) { want.pages = 1; continue; }
        if (!strcmp(argv[i], "--hold")) { want.hold = 1; continue; }
        if (!strcmp(argv[i], "--port")) want.proxy = atoi(value);
        else if (!strcmp(argv[i], "--clients")) want.clients = atoi(value);
        else if (!strcmp(argv[i], "--requests")) want.requests = atoi(value);
        else if (!strcmp(argv[i], "--bytes")) want.size = strtoull(value, NULL, 10);
        else return fprintf(stderr, "load: unknown option %s\n", argv[i]), 2;
        i++;
    }
    if (want.clients < 1 || want.requests < 1) return fprintf(stderr, "load: nothing to do\n"), 2;
    uint32_t x = 2463534242u;
    for (int i = 0; i < PERIOD; i++) x ^= x << 13, x ^= x >> 17, x ^= x << 5, pattern[i] = (unsigned char)x;
    memcpy(pattern + PERIOD, pattern, PERIOD);
    memcpy(pattern + 2 * PERIOD, pattern, sizeof pattern - 2 * PERIOD);
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof any;
    static int listener;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&any, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&any, &size)) die("origin");
    want.origin = ntohs(any.sin_port);
    snprintf(page_request, HEAD,
             "GET http://127.0.0.1:%d/page HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
             "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
             "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
             "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
             "Cookie: session=0123456789abcdef0123456789abcdef\r\nProxy-Connection: keep-alive\r\n\r\n",
             want.origin, want.origin);
    snprintf(page_head, HEAD,
             "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Sun, 01 Nov 2026 12:00:00 GMT\r\n"
             "Content-Type: text/html; charset=utf-8\r\nContent-Length: %llu\r\nConnection: keep-alive\r\n"
             "Last-Modified: Sun, 01 Nov 2026 11:00:00 GMT\r\nETag: \"0123456789abcdef\"\r\nAccept-Ranges: bytes\r\n\r\n",
             (unsigned long long)want.size);
    pthread_t origin;
    if (pthread_create(&origin, NULL, run_origin, &listener)) die("thread");
    run_clients();
}
