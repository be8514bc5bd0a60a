/*
 * cmd_passwd.c: `pgvigil passwd`: a password in, a SCRAM secret for a policy file out.
 *
 * Trust boundary: the password never stands in an argument, in the environment or on the screen; it
 * lives in two buffers that are wiped. What is printed does not give it away but allows guessing:
 * policy files are not for everybody to read.
 */
#include "proxy/scram.h"
#include "tools/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LINE_SIZE 600

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* One line without its end. false: end of input, too long, or a signal came. With `mask` signals
 * are let through only while it waits, so that none can slip in between the look at it and the
 * wait. */
static bool read_line(int fd, char line[LINE_SIZE], const sigset_t *mask)
{
    size_t len = 0;
    while (len < LINE_SIZE) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (mask && ppoll(&wait, 1, NULL, mask) < 0)
            return false;
        ssize_t got = read(fd, line + len, 1);
        if (got < 0 || (got == 0 && len == 0))
            return false;
        if (got == 0 || line[len] == '\n') {
            if (len > 0 && line[len - 1] == '\r')
                len--;
            line[len] = '\0';
            return true;
        }
        /* A NUL would cut the password that is hashed. */
        if (line[len] == '\0')
            return false;
        len++;
    }
    return false;
}

/* Asks on the terminal without echo, which comes back whatever happens. */
static bool ask(int terminal, const char *prompt, char line[LINE_SIZE])
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    struct sigaction old[sizeof signals / sizeof signals[0]];
    struct sigaction action = {.sa_handler = on_signal};
    struct termios shown;
    sigset_t held;
    sigset_t before;
    if (tcgetattr(terminal, &shown) != 0)
        return false;
    (void)sigemptyset(&held);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)sigaddset(&held, signals[i]);
    (void)pthread_sigmask(SIG_BLOCK, &held, &before);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)sigaction(signals[i], &action, &old[i]);
    struct termios hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden.c_lflag |= ICANON | ISIG;
    bool fine = tcsetattr(terminal, TCSAFLUSH, &hidden) == 0 &&
                write(terminal, prompt, strlen(prompt)) > 0 && read_line(terminal, line, &before);
    (void)tcsetattr(terminal, TCSAFLUSH, &shown);
    (void)!write(terminal, "\n", 1);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)sigaction(signals[i], &old[i], NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (interrupted)
        (void)raise(interrupted);
    return fine;
}

static int read_password(const struct cli_command *command, char password[LINE_SIZE])
{
    if (!isatty(STDIN_FILENO)) {
        if (!read_line(STDIN_FILENO, password, NULL))
            return cli_fail(command, CLI_CANNOT,
                            "no password of at most 512 bytes on the standard input");
        return CLI_FINE;
    }
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0)
        return cli_fail(command, CLI_CANNOT, "no terminal to ask on: %s", strerror(errno));
    char again[LINE_SIZE] = "";
    int code = CLI_FINE;
    if (!ask(terminal, "Password: ", password) || !ask(terminal, "Once more: ", again))
        code = cli_fail(command, CLI_CANNOT, "no password read");
    else if (strcmp(password, again) != 0)
        code = cli_fail(command, CLI_FINDINGS, "the two are not the same");
    explicit_bzero(again, sizeof again);
    (void)close(terminal);
    return code;
}

int cmd_passwd(int argc, char **argv)
{
    const char *number = "4096";
    const struct cli_option options[] = {{'i', "iterations", "N",
                                          "work for each guess, 4096 to 10000000; default 4096",
                                          &number, NULL},
                                         {.name = NULL}};
    const struct cli_command command = {
        .name = "passwd",
        .about = "Reads a password, twice from the terminal without echo or one line from a pipe, "
                 "and prints a secret in\n"
                 "PostgreSQL's form (SCRAM-SHA-256$...) for a user's `secret` in a policy file.",
        .options = options};
    int code = cli_parse(&command, argc, argv, NULL, NULL);
    if (code != CLI_CONTINUE)
        return code;
    char *end = NULL;
    unsigned long iterations = strtoul(number, &end, 10);
    if (!*number || *end || iterations < 4096 || iterations > 10000000)
        return cli_fail(&command, CLI_USAGE, "--iterations must be a number from 4096 to 10000000");
    char password[LINE_SIZE] = "";
    code = read_password(&command, password);
    if (code == CLI_FINE) {
        struct buf secret;
        const char *why = "";
        buf_init(&secret, 0);
        if (scram_make_secret(password, NULL, 0, (uint32_t)iterations, &secret, &why) != OK)
            code = cli_fail(&command, CLI_FINDINGS, "%s", why);
        else
            printf("%.*s\n", (int)buf_len(&secret), (const char *)buf_head(&secret));
        buf_free(&secret);
    }
    explicit_bzero(password, sizeof password);
    return code;
}
