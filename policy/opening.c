/*
 * opening.c: when and from where a mission may be used: reading the forms, and answering.
 *
 * Trust boundary: the policy's texts are the administrator's, read closed: what is not understood
 * is an error. The client's address is text that the listener made of the socket's.
 */
#include "opening.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DAY_MINUTES 1440u
#define EVERY_DAY   0x7Fu

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static bool read_day(const char **at, unsigned *day)
{
    for (unsigned i = 0; i < 7; i++) {
        if (strncasecmp(*at, day_names[i], 3) != 0)
            continue;
        *at += 3;
        *day = i;
        return true;
    }
    return false;
}

/* "mon-fri", "sat,sun", "fri-mon,wed" */
static bool read_days(const char **at, unsigned *days)
{
    unsigned first;
    unsigned last;
    *days = 0;
    do {
        if (!read_day(at, &first))
            return false;
        last = first;
        if (**at == '-') {
            (*at)++;
            if (!read_day(at, &last))
                return false;
        }
        for (unsigned day = first;; day = (day + 1) % 7) {
            *days |= 1u << day;
            if (day == last)
                break;
        }
    } while (**at == ',' && (*at)++ != NULL);
    return true;
}

static bool read_digits(const char **at, unsigned *number)
{
    if (!isdigit((unsigned char)(*at)[0]) || !isdigit((unsigned char)(*at)[1]))
        return false;
    *number = (unsigned)((*at)[0] - '0') * 10 + (unsigned)((*at)[1] - '0');
    *at += 2;
    return true;
}

static bool read_time(const char **at, unsigned *minute)
{
    unsigned hours;
    unsigned minutes;
    if (!read_digits(at, &hours) || *(*at)++ != ':' || !read_digits(at, &minutes))
        return false;
    *minute = hours * 60 + minutes;
    return minutes < 60 && *minute <= DAY_MINUTES;
}

enum status opening_read_hours(const char *text, struct policy_hours *hours)
{
    const char *at = text;
    hours->text = text;
    hours->days = EVERY_DAY;
    if (isalpha((unsigned char)*at)) {
        if (!read_days(&at, &hours->days) || *at++ != ' ')
            return ERR_INVALID;
    }
    if (!read_time(&at, &hours->from) || *at++ != '-' || !read_time(&at, &hours->to))
        return ERR_INVALID;
    bool empty = hours->from == hours->to || hours->from == DAY_MINUTES;
    /* Midnight ends a day as it begins one: "20:00-00:00" is what people write. */
    if (hours->to == 0)
        hours->to = DAY_MINUTES;
    return *at != '\0' || empty ? ERR_INVALID : OK;
}

enum status opening_read_network(const char *text, struct policy_network *network)
{
    char address[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "/");
    if (len >= sizeof address)
        return ERR_INVALID;
    memcpy(address, text, len);
    address[len] = '\0';
    memset(network, 0, sizeof *network);
    network->text = text;
    network->v6 = strchr(address, ':') != NULL;
    unsigned most = network->v6 ? 128 : 32;
    if (inet_pton(network->v6 ? AF_INET6 : AF_INET, address, network->bytes) != 1)
        return ERR_INVALID;
    network->prefix = most;
    if (text[len] == '/') {
        char *end = NULL;
        unsigned long prefix = strtoul(text + len + 1, &end, 10);
        if (!isdigit((unsigned char)text[len + 1]) || *end != '\0' || prefix > most)
            return ERR_INVALID;
        network->prefix = (unsigned)prefix;
    }
    /* Bits behind the prefix: somebody meant something else. */
    for (unsigned bit = network->prefix; bit < most; bit++)
        if ((network->bytes[bit / 8] & 0x80u >> bit % 8) != 0)
            return ERR_INVALID;
    return OK;
}

bool policy_hours_open(const struct policy_mission *mission, unsigned weekday, unsigned minute)
{
    for (size_t i = 0; i < mission->hours_count; i++) {
        const struct policy_hours *hours = &mission->hours[i];
        bool today = (hours->days & 1u << weekday) != 0;
        bool yesterday = (hours->days & 1u << (weekday + 6) % 7) != 0;
        if (hours->from < hours->to
                ? today && minute >= hours->from && minute < hours->to
                : (today && minute >= hours->from) || (yesterday && minute < hours->to))
            return true;
    }
    return mission->hours_count == 0;
}

static bool inside(const struct policy_network *network, bool v6, const unsigned char *bytes)
{
    if (network->v6 != v6)
        return false;
    for (unsigned bit = 0; bit < network->prefix; bit++) {
        unsigned char mask = (unsigned char)(0x80u >> bit % 8);
        if (((network->bytes[bit / 8] ^ bytes[bit / 8]) & mask) != 0)
            return false;
    }
    return true;
}

bool policy_address_open(const struct policy_mission *mission, const char *address)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    unsigned char bytes[16];
    if (mission->address_count == 0)
        return true;
    bool v6 = strchr(address, ':') != NULL;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, address, bytes) != 1)
        return false;
    /* An IPv4 client of a socket for both. */
    if (v6 && memcmp(bytes, mapped, sizeof mapped) == 0) {
        memmove(bytes, bytes + 12, 4);
        v6 = false;
    }
    for (size_t i = 0; i < mission->address_count; i++)
        if (inside(&mission->addresses[i], v6, bytes))
            return true;
    return false;
}
