/*
 * cmd_serve.c: `pgvigil serve`.
 */
#include "proxy/serve.h"
#include "tools/cli.h"

#include <pgvigil/log.h>
#include <stdio.h>
#include <stdlib.h>

/* What is wrong with the file is told in the log, where the rest of serve's life is. */
static struct config *load(const char *path)
{
    struct config *config = NULL;
    char *wrong = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&wrong, &size);
    if (out == NULL)
        return NULL;
    int code = cli_load_config(path, &config, out);
    (void)fclose(out);
    log_lines(code == CLI_FINE ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "configuration",
              wrong == NULL ? "out of memory" : wrong);
    free(wrong);
    return code == CLI_FINE ? config : NULL;
}

int cmd_serve(int argc, char **argv)
{
    const char *path = CLI_DEFAULT_CONFIG;
    const struct cli_option options[] = {
        {'c', "config", "FILE", "the configuration; default " CLI_DEFAULT_CONFIG, &path, NULL},
        {.name = NULL}};
    const struct cli_command command = {.name = "serve",
                                        .about =
                                            "Stands in front of the configured databases until "
                                            "SIGTERM or SIGINT. SIGHUP reads policy and\n"
                                            "certificates again; what is wrong leaves the running "
                                            "ones in force. Logs go to stderr.",
                                        .options = options};
    int code = cli_parse(&command, argc, argv, NULL, NULL);
    if (code != CLI_CONTINUE)
        return code;
    log_take_stderr();
    struct config *config = load(path);
    if (config == NULL)
        return CLI_CANNOT;
    log_set_level((enum log_level)config->log_level);
    enum status status = serve_run(config);
    config_free(config);
    return status == OK ? CLI_FINE : CLI_CANNOT;
}
