/*
 * cmd_serve.c: `pgvigil serve`.
 */
#include "proxy/serve.h"
#include "tools/cli.h"

#include <pgvigil/log.h>
#include <stdio.h>

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
    struct config *config = NULL;
    if (cli_load_config(path, &config, stderr) != CLI_FINE)
        return CLI_CANNOT;
    log_set_level((enum log_level)config->log_level);
    enum status status = serve_run(config);
    config_free(config);
    if (status != OK)
        return cli_fail(&command, CLI_CANNOT, "not serving (%s): see the lines above",
                        status_name(status));
    return CLI_FINE;
}
