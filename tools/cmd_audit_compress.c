/*
 * cmd_audit_compress.c: `pgvigil audit compress`: the closed files of a trail, compressed.
 *
 * Trust boundary: none of its own; audit/pack.c says what it makes of the files.
 */
#include "tools/cmd_audit.h"

#include <inttypes.h>
#include <pgvigil/audit.h>
#include <stdio.h>

static const char about[] =
    "Compresses the files of the trail in DIRECTORY that are closed: those whose chain has a later "
    "one.\n"
    "Each becomes a .zst beside itself, which is read back and compared before the plain one "
    "goes.\n"
    "It may run beside the server (which does the same unless audit.compress is false), and may "
    "be\n"
    "ended at any time. The hash chain is over the uncompressed lines: nothing changes for verify.";

int cmd_audit_compress(int argc, char **argv)
{
    const struct cli_option options[] = {{0, NULL, NULL, NULL, NULL, NULL}};
    const struct cli_command command = {
        .name = "audit compress",
        .operands = "DIRECTORY",
        .about = about,
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
    };
    char **operands = NULL;
    size_t count = 0;
    struct audit_pack_result result;
    const char *why = NULL;
    int code = cli_parse(&command, argc, argv, &operands, &count);
    if (code != CLI_CONTINUE)
        return code;
    if (audit_pack(operands[0], NULL, NULL, &result, &why) != OK)
        return cli_fail(&command, CLI_CANNOT, "%s", why);
    (void)printf("%s: %" PRIu64 " file(s) compressed, %" PRIu64 " byte(s) to %" PRIu64 "\n",
                 operands[0], result.files, result.bytes, result.packed_bytes);
    if (result.failed)
        return cli_fail(&command, CLI_FINDINGS, "%" PRIu64 " file(s) stay as they are: see above",
                        result.failed);
    return CLI_FINE;
}
