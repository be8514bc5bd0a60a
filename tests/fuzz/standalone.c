/*
 * standalone.c: runs a fuzz target without libFuzzer: every seed, and changes of them.
 *
 *     replay_sql SEEDS [ROUNDS [SEED]]
 *
 * The short form of the fuzzing, for the suite and for compilers without libFuzzer. The changes are
 * fixed by the seed: what fails fails again.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 65536
#define SEEDS_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target may have none. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

struct seed {
    uint8_t *bytes;
    size_t len;
};

static struct seed seeds[SEEDS_MAX];
static size_t seed_count;
static uint64_t state = 1;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static int read_seed(const char *folder, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    uint8_t *bytes = malloc(INPUT_MAX);
    if (bytes == NULL || seed_count == SEEDS_MAX)
        abort();
    seeds[seed_count].bytes = bytes;
    seeds[seed_count].len = fread(bytes, 1, INPUT_MAX, file);
    seed_count++;
    return fclose(file);
}

/* In name order, so that the rounds are the same everywhere. */
static int read_seeds(const char *folder)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, NULL, alphasort);
    int failed = count <= 0;
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.')
            failed = read_seed(folder, names[i]->d_name) != 0 || failed;
        free(names[i]);
    }
    free(names);
    return failed || seed_count == 0;
}

/* One of: a byte changed, a run taken out, a run doubled, a piece of another seed put in. */
static size_t change(uint8_t *bytes, size_t len)
{
    size_t at = len == 0 ? 0 : next() % len;
    size_t run = len == at ? 0 : 1 + next() % (len - at < 24 ? len - at : 24);
    const struct seed *other = &seeds[next() % seed_count];
    size_t from = other->len == 0 ? 0 : next() % other->len;
    size_t piece = other->len - from < 64 ? other->len - from : 64;
    static const uint8_t telling[] = "'\"();,.*=$:-/ \\0an_";
    switch (next() % 4) {
    case 0:
        if (len > 0)
            bytes[at] = next() % 3 == 0 ? (uint8_t)next() : telling[next() % (sizeof telling - 1)];
        return len;
    case 1:
        memmove(bytes + at, bytes + at + run, len - at - run);
        return len - run;
    case 2:
        if (len + run > INPUT_MAX)
            return len;
        memmove(bytes + at + run, bytes + at, len - at);
        return len + run;
    default:
        if (len + piece > INPUT_MAX)
            return len;
        memmove(bytes + at + piece, bytes + at, len - at);
        memcpy(bytes + at, other->bytes + from, piece);
        return len + piece;
    }
}

/* An allocation of just that size: a read beyond it is seen by the sanitizers. */
static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, bytes, len);
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[INPUT_MAX];
    if (argc < 2 || (LLVMFuzzerInitialize != NULL && LLVMFuzzerInitialize(&argc, &argv) != 0) ||
        read_seeds(argv[1])) {
        (void)fprintf(stderr, "usage: %s SEEDS [ROUNDS [SEED]]\n", argv[0]);
        return 2;
    }
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    state = argc > 3 ? strtoul(argv[3], NULL, 10) | 1U : 20261125;
    for (size_t i = 0; i < seed_count; i++)
        run(seeds[i].bytes, seeds[i].len);
    for (unsigned long i = 0; i < rounds && seed_count > 0; i++) {
        const struct seed *seed = &seeds[next() % seed_count];
        size_t len = seed->len;
        memcpy(bytes, seed->bytes, len);
        for (uint64_t changes = 1 + next() % 5; changes > 0; changes--)
            len = change(bytes, len);
        run(bytes, len);
    }
    printf("%zu seeds, %lu changed inputs\n", seed_count, rounds);
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].bytes);
    return 0;
}
