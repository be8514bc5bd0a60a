/*
 * password.c: passwords from a terminal without echo, or line by line from a pipe.
 *
 * Trust boundary: they never stand in an argument, in the environment or on the screen; whoever
 * calls wipes the buffer.
 */
#include "tools/password.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* One line without its end. false: end of input, too long, or a signal came. With `mask` signals
 * are let through only while it waits, so that none can slip in between the look at it and the
 * wait. */
static bool read_line(int fd, char line[PASSWORD_SIZE], const sigset_t *mask)
{
    size_t len = 0;
    while (len < PASSWORD_SIZE) {
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
static bool ask(int terminal, const char *prompt, char line[PASSWORD_SIZE])
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

int password_read(const struct cli_command *command, const char *prompt, bool twice,
                  char password[PASSWORD_SIZE])
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
    char again[PASSWORD_SIZE] = "";
    int code = CLI_FINE;
    if (!ask(terminal, prompt, password) || (twice && !ask(terminal, "Once more: ", again)))
        code = cli_fail(command, CLI_CANNOT, "no password read");
    else if (twice && strcmp(password, again) != 0)
        code = cli_fail(command, CLI_FINDINGS, "the two are not the same");
    explicit_bzero(again, sizeof again);
    (void)close(terminal);
    return code;
}
