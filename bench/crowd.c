/*
 * crowd.c: many clients in one thread, for bench/run: each logs in by itself (TLS, SCRAM), and
 * those that have nothing to do cost almost nothing, which thousands of libpq connections would
 * not.
 *
 *   crowd PORT CA DATABASE PASSWORD SQL <COMMANDS
 *
 *   open N USER [OPTIONS]   N more clients of that user, one after another; OPTIONS as in libpq
 *   run SECONDS AT_ONCE     clients take turns with one statement each, AT_ONCE of them under way
 *   send N AT_ONCE          N statements in the same way
 *
 * A line of answer each: "clients" and their number, or "statements", how many, seconds, median and
 * 99th percentile of their time in microseconds. SQL: its "?" becomes another number each time.
 * Trust boundary: none; it checks the server's certificate as everybody else in the benchmark, and
 * whatever goes wrong ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS        256
#define CLIENTS_MOST  20000
#define SAMPLES_MOST  4000000
#define MESSAGE_MOST  8192
#define KEY           32
#define NUMBERS_UP_TO 20000

struct client {
    SSL *ssl;
    int fd;
    /* Where in the stream of messages we are: what is left of this one, or part of a head. */
    size_t skip;
    unsigned char head[5];
    size_t head_len;
    bool failed; /* an ErrorResponse came */
    uint64_t since;
};

static struct {
    uint16_t port;
    SSL_CTX *context;
    const char *database, *password, *sql;
    struct client *clients;
    size_t count;
    struct client **idle; /* a ring of CLIENTS_MOST: who has waited longest is next */
    size_t idle_first, idle_count;
    int epoll;
    uint32_t *samples; /* microseconds */
    size_t sample_count;
    /* Of the secret last seen: all users of the benchmark have one salt. */
    char salt[128];
    unsigned iterations;
    unsigned char salted[KEY];
} crowd;

_Noreturn static void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("crowd: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static uint64_t now_microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* --- messages, while a client logs in: blocking ------------------------------------------------
 */

static void put(struct client *client, char type, const char *body, size_t len)
{
    unsigned char message[MESSAGE_MOST];
    size_t head = type ? 1 : 0;
    uint32_t size = htonl((uint32_t)len + 4);
    if (len + 5 > sizeof message)
        fail("a message of %zu bytes", len);
    message[0] = (unsigned char)type;
    memcpy(message + head, &size, 4);
    memcpy(message + head + 4, body, len);
    if (SSL_write(client->ssl, message, (int)(head + 4 + len)) <= 0)
        fail("the connection broke");
}

static void take(struct client *client, unsigned char *bytes, size_t len)
{
    while (len > 0) {
        int got = SSL_read(client->ssl, bytes, (int)len);
        if (got <= 0)
            fail("the connection broke in the login");
        bytes += got;
        len -= (size_t)got;
    }
}

/* Its type; the body ends with a zero byte of ours. */
static char get(struct client *client, char *body, size_t *len)
{
    unsigned char head[5];
    uint32_t size;
    take(client, head, sizeof head);
    memcpy(&size, head + 1, 4);
    *len = ntohl(size) - 4;
    if (*len >= MESSAGE_MOST)
        fail("the server sends %zu bytes", *len);
    take(client, (unsigned char *)body, *len);
    body[*len] = '\0';
    if (head[0] == 'E')
        for (const char *field = body; *field; field += strlen(field) + 1)
            if (*field == 'M')
                fail("login refused: %s", field + 1);
    return (char)head[0];
}

static void hmac(const unsigned char *key, const char *text, size_t len, unsigned char *out)
{
    if (!HMAC(EVP_sha256(), key, KEY, (const unsigned char *)text, len, out, NULL))
        fail("HMAC");
}

static void salt_password(const char *salt, unsigned iterations)
{
    unsigned char raw[128];
    if (strcmp(salt, crowd.salt) == 0 && iterations == crowd.iterations)
        return;
    if (strlen(salt) >= sizeof crowd.salt || strlen(salt) < 4)
        fail("a salt of %zu bytes", strlen(salt));
    int len = EVP_DecodeBlock(raw, (const unsigned char *)salt, (int)strlen(salt));
    len -= salt[strlen(salt) - 1] == '=' ? 1 : 0;
    len -= salt[strlen(salt) - 2] == '=' ? 1 : 0;
    if (len <= 0 || PKCS5_PBKDF2_HMAC(crowd.password, -1, raw, len, (int)iterations, EVP_sha256(),
                                      KEY, crowd.salted) != 1)
        fail("PBKDF2");
    memcpy(crowd.salt, salt, strlen(salt) + 1);
    crowd.iterations = iterations;
}

/* The proof of what server_first asks, base64. */
static void prove(const char *server_first, const char *final, char *proof)
{
    unsigned char client_key[KEY], stored[KEY], signature[KEY];
    char salt[128], text[1024];
    const char *from = strstr(server_first, ",s=");
    const char *to = from ? strstr(from, ",i=") : NULL;
    if (!to || (size_t)(to - from) - 3 >= sizeof salt)
        fail("SCRAM: %s", server_first);
    snprintf(salt, sizeof salt, "%.*s", (int)(to - from) - 3, from + 3);
    unsigned iterations = (unsigned)strtoul(to + 3, NULL, 10);
    salt_password(salt, iterations);
    hmac(crowd.salted, "Client Key", 10, client_key);
    if (!EVP_Digest(client_key, KEY, stored, NULL, EVP_sha256(), NULL))
        fail("SHA-256");
    int len = snprintf(text, sizeof text, "n=,r=crowd,%s,%s", server_first, final);
    if (len < 0 || (size_t)len >= sizeof text)
        fail("SCRAM: %s", server_first);
    hmac(stored, text, (size_t)len, signature);
    for (size_t i = 0; i < KEY; i++)
        client_key[i] ^= signature[i];
    EVP_EncodeBlock((unsigned char *)proof, client_key, KEY);
}

static uint32_t authentication(struct client *client, char *body)
{
    size_t len;
    uint32_t kind;
    if (get(client, body, &len) != 'R' || len < 4)
        fail("no authentication is asked for");
    memcpy(&kind, body, 4);
    memmove(body, body + 4, len - 3);
    return ntohl(kind);
}

static void scram(struct client *client)
{
    static const char first[] = "SCRAM-SHA-256\0\0\0\0\x10n,,n=,r=crowd";
    char body[MESSAGE_MOST], final[512], answer[1024], proof[64];
    if (authentication(client, body) != 10)
        fail("SCRAM is not asked for");
    char initial[sizeof first];
    memcpy(initial, first, sizeof first);
    initial[17] = (char)strlen("n,,n=,r=crowd");
    put(client, 'p', initial, sizeof first - 1);
    if (authentication(client, body) != 11)
        fail("SCRAM does not go on");
    int nonce = (int)strcspn(body, ",");
    snprintf(final, sizeof final, "c=biws,%.*s", nonce, body);
    prove(body, final, proof);
    int len = snprintf(answer, sizeof answer, "%s,p=%s", final, proof);
    put(client, 'p', answer, (size_t)len);
    if (authentication(client, body) != 12 || authentication(client, body) != 0)
        fail("SCRAM does not end");
}

static void start(struct client *client, const char *user, const char *options)
{
    char body[1024] = {0, 3, 0, 0};
    size_t len = 4;
    const char *words[] = {"user", user, "database", crowd.database, "options", options};
    for (size_t i = 0; i < (*options ? 6 : 4); i++) {
        size_t size = strlen(words[i]) + 1;
        if (len + size + 1 > sizeof body)
            fail("the user's name is too long");
        memcpy(body + len, words[i], size);
        len += size;
    }
    put(client, 0, body, len + 1);
    scram(client);
    char answer[MESSAGE_MOST];
    while (get(client, answer, &len) != 'Z')
        continue;
}

static void idle_add(struct client *client)
{
    crowd.idle[(crowd.idle_first + crowd.idle_count++) % CLIENTS_MOST] = client;
}

static void client_open(const char *user, const char *options)
{
    static const char request[8] = {0, 0, 0, 8, 4, (char)210, 22, 47};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(crowd.port)};
    struct client *client = &crowd.clients[crowd.count];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    int one = 1;
    char answer = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(client, 0, sizeof *client);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect: %s", strerror(errno));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (send(client->fd, request, sizeof request, MSG_NOSIGNAL) != sizeof request ||
        recv(client->fd, &answer, 1, 0) != 1 || answer != 'S')
        fail("TLS is refused");
    client->ssl = SSL_new(crowd.context);
    if (!client->ssl || SSL_set_fd(client->ssl, client->fd) != 1 ||
        SSL_set1_host(client->ssl, "localhost") != 1 || SSL_connect(client->ssl) != 1)
        fail("TLS with client %zu", crowd.count);
    start(client, user, options);
    if (fcntl(client->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        fail("epoll_ctl: %s", strerror(errno));
    crowd.count++;
    idle_add(client);
}

/* --- statements --------------------------------------------------------------------------------
 */

static void client_ask(struct client *client)
{
    static unsigned number;
    char sql[MESSAGE_MOST];
    const char *mark = strchr(crowd.sql, '?');
    int before = mark ? (int)(mark - crowd.sql) : (int)strlen(crowd.sql);
    number = number * 1103515245u + 12345u;
    int len = mark ? snprintf(sql, sizeof sql - 8, "%.*s%u%s", before, crowd.sql,
                              1 + (number >> 8) % NUMBERS_UP_TO, mark + 1)
                   : snprintf(sql, sizeof sql - 8, "%s", crowd.sql);
    client->since = now_microseconds();
    client->failed = false;
    put(client, 'Q', sql, (size_t)len + 1);
}

/* True when ReadyForQuery has come. */
static bool client_swallow(struct client *client, const unsigned char *bytes, size_t len)
{
    bool ready = false;
    while (len > 0) {
        if (client->skip > 0) {
            size_t part = client->skip < len ? client->skip : len;
            client->skip -= part;
            bytes += part;
            len -= part;
            continue;
        }
        client->head[client->head_len++] = *bytes++;
        len--;
        if (client->head_len < sizeof client->head)
            continue;
        uint32_t size;
        memcpy(&size, client->head + 1, 4);
        client->skip = ntohl(size) - 4;
        client->head_len = 0;
        client->failed |= client->head[0] == 'E';
        ready |= client->head[0] == 'Z';
    }
    return ready;
}

static bool client_ready(struct client *client)
{
    static unsigned char bytes[16384];
    bool ready = false;
    for (;;) {
        int got = SSL_read(client->ssl, bytes, sizeof bytes);
        if (got <= 0) {
            if (SSL_get_error(client->ssl, got) != SSL_ERROR_WANT_READ)
                fail("a connection broke");
            break;
        }
        ready |= client_swallow(client, bytes, (size_t)got);
    }
    if (client->failed)
        fail("a statement failed");
    return ready;
}

static int by_size(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void ask_next(void)
{
    struct client *client = crowd.idle[crowd.idle_first];
    crowd.idle_first = (crowd.idle_first + 1) % CLIENTS_MOST;
    crowd.idle_count--;
    client_ask(client);
}

/* Until `until` (0: not by time) or `most` statements, whichever is first. */
static void run(uint64_t until, size_t most, size_t at_once)
{
    struct epoll_event events[EVENTS];
    uint64_t begin = now_microseconds();
    size_t sent = 0, done = 0;
    crowd.sample_count = 0;
    if (at_once == 0 || at_once > crowd.count)
        fail("%zu at once of %zu clients", at_once, crowd.count);
    for (; sent < at_once && sent < most; sent++)
        ask_next();
    while (done < sent) {
        int count = epoll_wait(crowd.epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            if (!client_ready(client))
                continue;
            uint64_t now = now_microseconds();
            if (crowd.sample_count < SAMPLES_MOST)
                crowd.samples[crowd.sample_count++] = (uint32_t)(now - client->since);
            done++;
            idle_add(client);
            if (sent < most && (until == 0 || now < until)) {
                ask_next();
                sent++;
            }
        }
    }
    double seconds = (double)(now_microseconds() - begin) / 1e6;
    qsort(crowd.samples, crowd.sample_count, sizeof *crowd.samples, by_size);
    printf("statements %zu %.3f %u %u\n", done, seconds, crowd.samples[crowd.sample_count / 2],
           crowd.samples[crowd.sample_count * 99 / 100]);
}

static size_t number(char **rest)
{
    char *word = strsep(rest, " "), *end = word;
    size_t value = word ? strtoul(word, &end, 10) : 0;
    if (!word || end == word || *end != '\0')
        fail("no number: %s", word ? word : "");
    return value;
}

static void command(char *line)
{
    char *rest = line;
    line[strcspn(line, "\n")] = '\0';
    const char *word = strsep(&rest, " ");
    size_t count = number(&rest);
    if (strcmp(word, "open") == 0 && rest) {
        const char *user = strsep(&rest, " ");
        if (crowd.count + count > CLIENTS_MOST)
            fail("%zu clients", crowd.count + count);
        while (count-- > 0)
            client_open(user, rest ? rest : "");
        printf("clients %zu\n", crowd.count);
    } else if (strcmp(word, "run") == 0) {
        run(now_microseconds() + count * 1000000u, SIZE_MAX, number(&rest));
    } else if (strcmp(word, "send") == 0) {
        run(0, count, number(&rest));
    } else {
        fail("no such command: %s", word);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[1024];
    if (argc != 6) {
        fprintf(stderr, "usage: crowd PORT CA DATABASE PASSWORD SQL\n");
        return 2;
    }
    crowd.port = (uint16_t)strtoul(argv[1], NULL, 10);
    crowd.database = argv[3];
    crowd.password = argv[4];
    crowd.sql = argv[5];
    if (strlen(crowd.sql) > MESSAGE_MOST / 2)
        fail("the statement is too long");
    crowd.clients = calloc(CLIENTS_MOST, sizeof *crowd.clients);
    crowd.idle = calloc(CLIENTS_MOST, sizeof(struct client *));
    crowd.samples = calloc(SAMPLES_MOST, sizeof *crowd.samples);
    crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
    crowd.context = SSL_CTX_new(TLS_client_method());
    if (!crowd.clients || !crowd.idle || !crowd.samples || crowd.epoll < 0 || !crowd.context ||
        signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        SSL_CTX_load_verify_locations(crowd.context, argv[2], NULL) != 1)
        fail("cannot start");
    SSL_CTX_set_verify(crowd.context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(crowd.context, SSL_MODE_RELEASE_BUFFERS);
    while (fgets(line, sizeof line, stdin))
        command(line);
    return 0;
}
