/*
 * builtin.c: the names of PostgreSQL 15's pg_catalog types.
 *
 * In a filter only these, and the functions of functions.list, may stand without a schema: guards
 * are made under an empty search_path, so anything else would fail there, with a message that does
 * not lead to the policy file. A builtin of a later version is written pg_catalog.name. Being known
 * says nothing about being allowed to clients (functions.list does, and types.c).
 */
#include "expression_check.h"

#include <string.h>

/* clang-format off */
static const char types[] =
    " aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange"
    " anycompatiblenonarray anycompatiblerange anyelement anyenum anymultirange anynonarray"
    " anyrange bit bool box bpchar bytea char cid cidr circle cstring date datemultirange"
    " daterange event_trigger fdw_handler float4 float8 gtsvector index_am_handler inet int2"
    " int2vector int4 int4multirange int4range int8 int8multirange int8range internal interval"
    " json jsonb jsonpath language_handler line lseg macaddr macaddr8 money name numeric"
    " nummultirange numrange oid oidvector path point polygon record refcursor regclass"
    " regcollation regconfig regdictionary regnamespace regoper regoperator regproc"
    " regprocedure regrole regtype table_am_handler text tid time timestamp timestamptz timetz"
    " trigger tsm_handler tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector"
    " txid_snapshot unknown uuid varbit varchar void xid xid8 xml"
    " ";
/* clang-format on */

bool builtin_type(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || strchr(name, ' ') != NULL)
        return false;
    for (const char *at = types; (at = strstr(at, name)) != NULL; at += len)
        if (at > types && at[-1] == ' ' && at[len] == ' ')
            return true;
    return false;
}
