/*
 * guard_catalog_views.c: the system catalogs as a pair may see them.
 *
 * Purpose: psql's \d, ORMs and drivers read the catalogs; through these views they find the
 * relations that the pair has guards for, under the names, OIDs and schemas of the base tables,
 * with the guards' columns. Guard schemas, hidden relations and columns, other roles, statistics,
 * sizes, ACLs and expressions that may quote values are not there.
 *
 * One set serves every pair: current_user is the pair, and the registry (pair, base relation,
 * guard) tells the rest. Predicates of a client stay behind each view's own (security_barrier); OID
 * and name equality still use indexes.
 *
 * Trust boundary: clients read these with any predicate they like. What an index or constraint
 * shows must not name a hidden column: it is there only when all its columns are.
 */
#include "guard_catalog.h"

static const char *const helpers[] = {
    /* regclass, not oid: it survives dump and restore. */
    "CREATE TABLE @.\"relations\" (pair name NOT NULL, base regclass NOT NULL, guard regclass NOT "
    "NULL, "
    "variant smallint NOT NULL, hash text NOT NULL, PRIMARY KEY (pair, base, variant))",
    "CREATE TABLE @.\"functions\" (pair name NOT NULL, schema name NOT NULL, name name NOT NULL, "
    "PRIMARY KEY (pair, schema, name))",
    "CREATE TABLE @.\"sequences\" (pair name NOT NULL, schema name NOT NULL, name name NOT NULL, "
    "PRIMARY KEY (pair, schema, name))",
    "CREATE VIEW @.\"visible\" WITH (security_barrier=true) AS\n"
    "SELECT r.base::oid AS oid, r.guard::oid AS guard FROM @.\"relations\" r\n"
    "WHERE r.pair = current_user AND r.variant = 0",
    /* Columns are the base table's by number, the guard's by type. */
    "CREATE VIEW @.\"columns\" WITH (security_barrier=true) AS\n"
    "SELECT v.oid AS relid, v.guard, b.attname, b.attnum, g.attnum AS guard_attnum, g.atttypid, "
    "g.attlen, g.attndims, "
    "g.atttypmod, g.attbyval, g.attalign, g.attcollation\n"
    "FROM @.\"visible\" v JOIN pg_attribute b ON b.attrelid = v.oid AND b.attnum > 0 AND NOT "
    "b.attisdropped\n"
    "JOIN pg_attribute g ON g.attrelid = v.guard AND g.attname = b.attname AND g.attnum > 0",
    "CREATE VIEW @.\"types\" WITH (security_barrier=true) AS\n"
    "SELECT y.oid FROM pg_type y WHERE y.typnamespace = 'pg_catalog'::regnamespace\n"
    "UNION ALL SELECT y.oid FROM pg_type y WHERE y.typnamespace = "
    "'information_schema'::regnamespace\n"
    "UNION ALL SELECT y.oid FROM pg_type y JOIN @.\"visible\" v ON v.oid = y.typrelid\n"
    "UNION ALL SELECT y.oid FROM pg_type y WHERE y.typnamespace <> 'pg_catalog'::regnamespace\n"
    "    AND y.typnamespace <> 'information_schema'::regnamespace AND EXISTS (SELECT FROM "
    "@.\"columns\" c\n"
    "    LEFT JOIN pg_type u ON u.oid = c.atttypid\n"
    "    WHERE y.oid IN (u.oid, u.typelem, u.typbasetype, u.typarray))",
    "CREATE VIEW @.\"indexes\" WITH (security_barrier=true) AS\n"
    "SELECT i.indexrelid AS oid FROM pg_index i JOIN @.\"visible\" v ON v.oid = i.indrelid\n"
    /* CASE: of <@ alone the planner thinks that one row in a thousand passes, and then runs what
     * stands beside this view once for each row that does. */
    "WHERE i.indexprs IS NULL AND i.indpred IS NULL AND CASE WHEN i.indkey::int2[] <@ ARRAY(\n"
    "    SELECT c.attnum FROM @.\"columns\" c WHERE c.relid = i.indrelid) THEN true END",
    "CREATE VIEW @.\"classes\" WITH (security_barrier=true) AS\n"
    "SELECT v.oid, 'r'::\"char\" AS what FROM @.\"visible\" v\n"
    "UNION ALL SELECT k.oid, 's' FROM pg_class k WHERE k.relkind IN ('r', 'v')\n"
    "    AND k.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)\n"
    "UNION ALL SELECT i.oid, 'i' FROM @.\"indexes\" i\n"
    "UNION ALL SELECT d.objid, 'S' FROM pg_depend d JOIN pg_class k ON k.oid = d.objid AND "
    "k.relkind = 'S'\n"
    "    JOIN @.\"columns\" c ON c.relid = d.refobjid AND c.attnum = d.refobjsubid\n"
    "    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass\n"
    "    AND d.objsubid = 0 AND d.deptype IN ('a', 'i')\n"
    "UNION SELECT k.oid, 'S' FROM @.\"sequences\" s JOIN pg_namespace n ON n.nspname = s.schema\n"
    "    JOIN pg_class k ON k.relnamespace = n.oid AND k.relname = s.name AND k.relkind = 'S'\n"
    "    WHERE s.pair = current_user\n"
    "UNION ALL SELECT k.oid, 'c' FROM pg_class k JOIN @.\"types\" u ON u.oid = k.reltype\n"
    "    WHERE k.relkind = 'c'",
    /* Primary keys, unique and foreign keys; the expressions of CHECK and EXCLUDE quote values. */
    "CREATE VIEW @.\"constraints\" WITH (security_barrier=true) AS\n"
    "SELECT k.oid FROM pg_constraint k JOIN @.\"visible\" v ON v.oid = k.conrelid\n"
    "WHERE k.contype IN ('p', 'u', 'f') AND CASE WHEN k.conkey <@ ARRAY(\n"
    "    SELECT c.attnum FROM @.\"columns\" c WHERE c.relid = k.conrelid)\n"
    "THEN k.confrelid = 0 OR (k.confkey <@ ARRAY(\n"
    "        SELECT c.attnum FROM @.\"columns\" c WHERE c.relid = k.confrelid)\n"
    "    AND EXISTS (SELECT FROM @.\"visible\" f WHERE f.oid = k.confrelid)) END",
    "CREATE VIEW @.\"procedures\" WITH (security_barrier=true) AS\n"
    "SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace\n"
    "UNION ALL SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace\n"
    "    JOIN @.\"functions\" f ON f.pair = current_user AND f.schema = n.nspname AND f.name = "
    "p.proname",
    "CREATE VIEW @.\"schemas\" WITH (security_barrier=true) AS\n"
    "SELECT n.oid FROM pg_namespace n WHERE n.nspname IN ('pg_catalog', 'information_schema')\n"
    "    OR EXISTS (SELECT FROM @.\"visible\" v JOIN pg_class k ON k.oid = v.oid WHERE "
    "k.relnamespace = n.oid)\n"
    "    OR EXISTS (SELECT FROM @.\"functions\" f WHERE f.pair = current_user AND f.schema = "
    "n.nspname)\n"
    "    OR EXISTS (SELECT FROM @.\"columns\" c JOIN pg_type y ON y.oid = c.atttypid\n"
    "        WHERE y.typnamespace = n.oid)\n"
    "    OR EXISTS (SELECT FROM @.\"sequences\" s WHERE s.pair = current_user AND s.schema = "
    "n.nspname)",
    /* The session's search path as it was set by pgvigil; pg_catalog first unless it is named. */
    "CREATE VIEW @.\"path\" AS\n"
    "SELECT n.oid, n.nspname, min(p.pos) AS pos FROM (\n"
    "    SELECT COALESCE(NULLIF(pg_catalog.current_setting('pgvigil.search_path', true), ''), "
    "'{}')::text[] AS names) s\n"
    "CROSS JOIN LATERAL (SELECT u.name, u.pos FROM unnest(s.names) WITH ORDINALITY u(name, pos)\n"
    "    UNION ALL SELECT 'pg_catalog', 0 WHERE NOT 'pg_catalog' = ANY (s.names)) p\n"
    "JOIN pg_namespace n ON n.nspname = p.name GROUP BY n.oid, n.nspname",
    /* Settings that tell nothing about data, people or the machine. */
    "CREATE VIEW @.\"settings\" AS SELECT s.name FROM "
    "unnest('{application_name,block_size,bytea_output,"
    "client_encoding,client_min_messages,datestyle,default_text_search_config,default_transaction_"
    "deferrable,"
    "default_transaction_isolation,default_transaction_read_only,extra_float_digits,"
    "idle_in_transaction_session_timeout,in_hot_standby,integer_datetimes,intervalstyle,lc_collate,"
    "lc_ctype,"
    "lc_messages,lc_monetary,lc_numeric,lc_time,lock_timeout,max_function_args,max_identifier_"
    "length,max_index_keys,"
    "server_encoding,server_version,server_version_num,standard_conforming_strings,statement_"
    "timeout,timezone,"
    "timezone_abbreviations,transaction_deferrable,transaction_isolation,transaction_read_only,"
    "xmlbinary,"
    "xmloption}'::text[]) AS s(name)",
};

#define PERSON   "pg_catalog.current_setting('pgvigil.u_name')"
#define NO_ROWS  "WHERE false"
#define DATABASE "pg_catalog.current_database()"
/* Every visible relation with its schema's name, for the views by name. */
#define NAMED_CLASS                                                                                \
    "FROM @.\"visible\" v JOIN pg_catalog.pg_class c ON c.oid = v.oid\n"                           \
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
#define OWNER(column) "@.\"pg_get_userbyid\"(" column ")"

static const struct guard_catalog_view views[] = {
    {"pg_catalog", "pg_class",
     "oid\nrelname\nrelnamespace\nreltype\nreloftype\nrelowner\nrelam\nrelfilenode="
     "0\nreltablespace\nrelpages=NULL\n"
     "reltuples=NULL\nrelallvisible=NULL\nreltoastrelid=0\n"
     "relhasindex=EXISTS (SELECT FROM pg_catalog.pg_index i JOIN @.\"indexes\" x ON x.oid = "
     "i.indexrelid WHERE "
     "i.indrelid = t.oid)\n"
     "relisshared\nrelpersistence\nrelkind\n"
     "relnatts=CASE WHEN k.what = 'r' THEN (SELECT pg_catalog.count(*) FROM @.\"columns\" a WHERE "
     "a.relid = t.oid) ELSE "
     "t.relnatts END\n"
     "relchecks=0\nrelhasrules=false\n"
     "relhastriggers=EXISTS (SELECT FROM pg_catalog.pg_constraint f JOIN @.\"constraints\" x ON "
     "x.oid = f.oid WHERE "
     "f.contype = 'f' AND t.oid IN (f.conrelid, f.confrelid))\n"
     "relhassubclass\nrelrowsecurity=false\nrelforcerowsecurity="
     "false\nrelispopulated\nrelreplident='d'\n"
     "relispartition\nrelrewrite=0\nrelfrozenxid=NULL\nrelminmxid=NULL\nrelacl=NULL\nreloptions="
     "NULL\n"
     "relpartbound=NULL",
     "JOIN @.\"classes\" k ON k.oid = t.oid"},
    {"pg_catalog", "pg_attribute",
     "attrelid\nattname\natttypid=COALESCE(c.atttypid, t.atttypid)\nattstattarget=-1\n"
     "attlen=COALESCE(c.attlen, t.attlen)\nattnum\nattndims\nattcacheoff=-1\n"
     "atttypmod=COALESCE(c.atttypmod, t.atttypmod)\nattbyval=COALESCE(c.attbyval, t.attbyval)\n"
     "attalign=COALESCE(c.attalign, "
     "t.attalign)\nattstorage\nattcompression\nattnotnull\natthasdef\n"
     "atthasmissing=false\nattidentity\nattgenerated\nattisdropped\nattislocal\nattinhcount\n"
     "attcollation=COALESCE(c.attcollation, "
     "t.attcollation)\nattacl=NULL\nattoptions=NULL\nattfdwoptions=NULL",
     "LEFT JOIN @.\"columns\" c ON c.relid = t.attrelid AND c.attnum = t.attnum\n"
     /* IN: hashed once. A sub-select for each row took seconds under the joins of JDBC. */
     "WHERE c.relid IS NOT NULL OR t.attrelid IN (SELECT k.oid FROM @.\"classes\" k WHERE k.what "
     "<> "
     "'r')"},
    {"pg_catalog", "pg_namespace", "oid\nnspname\nnspowner\nnspacl=NULL",
     "JOIN @.\"schemas\" s ON s.oid = t.oid"},
    {"pg_catalog", "pg_type",
     "oid\ntypname\ntypnamespace\ntypowner\ntyplen\ntypbyval\ntyptype\ntypcategory\ntypispreferred"
     "\ntypisdefined\n"
     "typdelim\ntyprelid\ntypsubscript\ntypelem\ntyparray\ntypinput\ntypoutput\ntypreceive\ntypsend"
     "\ntypmodin\n"
     "typmodout\ntypanalyze\ntypalign\ntypstorage\ntypnotnull\ntypbasetype\ntyptypmod\ntypndims\nty"
     "pcollation\n"
     "typdefaultbin=NULL\ntypdefault=NULL\ntypacl=NULL",
     "WHERE EXISTS (SELECT FROM @.\"types\" y WHERE y.oid = t.oid)"},
    {"pg_catalog", "pg_proc",
     "oid\nproname\npronamespace\nproowner\nprolang\nprocost\nprorows\nprovariadic\nprosupport\npro"
     "kind\nprosecdef\n"
     "proleakproof\nproisstrict\nproretset\nprovolatile\nproparallel\npronargs\npronargdefaults\npr"
     "orettype\n"
     "proargtypes\nproallargtypes\nproargmodes\nproargnames\nproargdefaults="
     "NULL\nprotrftypes\nprosrc=''\nprobin=NULL\n"
     "prosqlbody=NULL\nproconfig=NULL\nproacl=NULL",
     "JOIN @.\"procedures\" p ON p.oid = t.oid"},
    {"pg_catalog", "pg_database",
     "oid\ndatname\ndatdba\nencoding\ndatlocprovider\ndatistemplate\ndatallowconn\ndatconnlimit\nda"
     "ttablespace\n"
     "datcollate\ndatctype\ndaticulocale\ndatcollversion\ndatacl=NULL",
     "WHERE t.datname = pg_catalog.current_database()"},
    {"pg_catalog", "pg_index",
     "indexrelid\nindrelid\nindnatts\nindnkeyatts\nindisunique\nindnullsnotdistinct\nindisprimary\n"
     "indisexclusion\n"
     "indimmediate\nindisclustered\nindisvalid\nindcheckxmin="
     "false\nindisready\nindislive\nindisreplident\nindkey\n"
     "indcollation\nindclass\nindoption\nindexprs=NULL\nindpred=NULL",
     "JOIN @.\"indexes\" i ON i.oid = t.indexrelid"},
    {"pg_catalog", "pg_constraint",
     "oid\nconname\nconnamespace\ncontype\ncondeferrable\ncondeferred\nconvalidated\nconrelid\ncont"
     "ypid\nconindid\n"
     "conparentid\nconfrelid\nconfupdtype\nconfdeltype\nconfmatchtype\nconislocal\nconinhcount\ncon"
     "noinherit\nconkey\n"
     "confkey\nconpfeqop\nconppeqop\nconffeqop\nconfdelsetcols\nconexclop\nconbin=NULL",
     "JOIN @.\"constraints\" k ON k.oid = t.oid"},
    /* Of defaults only the sequence: JDBC and others look there for generated keys. */
    {"pg_catalog", "pg_attrdef", "oid\nadrelid\nadnum\nadbin",
     "JOIN @.\"columns\" c ON c.relid = t.adrelid AND c.attnum = t.adnum\n"
     "WHERE pg_catalog.pg_get_expr(t.adbin, t.adrelid) ~ '^nextval\\(''[^'']*''::regclass\\)$'"},
    {"pg_catalog", "pg_inherits", "inhrelid\ninhparent\ninhseqno\ninhdetachpending",
     "WHERE EXISTS (SELECT FROM @.\"classes\" c WHERE c.oid = t.inhrelid)\n"
     "AND EXISTS (SELECT FROM @.\"classes\" p WHERE p.oid = t.inhparent)"},
    {"pg_catalog", "pg_description", "objoid\nclassoid\nobjsubid\ndescription",
     "WHERE (t.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND t.objsubid = 0\n"
     "    AND t.objoid IN (SELECT c.oid FROM @.\"classes\" c))\n"
     "OR (t.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND t.objsubid <> 0\n"
     "    AND ((t.objoid, t.objsubid) IN (SELECT c.relid, c.attnum::integer FROM @.\"columns\" c)\n"
     "        OR t.objoid IN (SELECT c.oid FROM @.\"classes\" c WHERE c.what <> 'r')))\n"
     "OR (t.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.objoid IN (SELECT y.oid "
     "FROM "
     "@.\"types\" y))\n"
     "OR (t.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND t.objoid IN (SELECT p.oid "
     "FROM "
     "@.\"procedures\" p))\n"
     "OR (t.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND t.objoid IN (SELECT "
     "s.oid "
     "FROM @.\"schemas\" s))\n"
     "OR (t.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND t.objoid IN (SELECT "
     "k.oid "
     "FROM @.\"constraints\" k))\n"
     "OR (t.objoid < 16384 AND t.classoid NOT IN ('pg_catalog.pg_class'::pg_catalog.regclass,\n"
     "    'pg_catalog.pg_type'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass,\n"
     "    'pg_catalog.pg_namespace'::pg_catalog.regclass, "
     "'pg_catalog.pg_constraint'::pg_catalog.regclass))"},
    {"pg_catalog", "pg_shdescription", "objoid\nclassoid\ndescription",
     "WHERE t.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND t.objoid = (SELECT "
     "d.oid FROM "
     "pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"},
    {"pg_catalog", "pg_sequence",
     "seqrelid\nseqtypid\nseqstart\nseqincrement\nseqmax\nseqmin\nseqcache\nseqcycle",
     "WHERE EXISTS (SELECT FROM @.\"classes\" c WHERE c.oid = t.seqrelid)"},
    {"pg_catalog", "pg_sequences",
     "schemaname\nsequencename\nsequenceowner=" OWNER(
         "c.relowner") "\ndata_type=@.\"regtype_out\"(t.data_type::pg_catalog.oid)\nstart_"
                       "value\nmin_value\nmax_value\n"
                       "increment_by\ncycle\ncache_size\nlast_value=NULL",
     "JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname JOIN pg_catalog.pg_class c ON "
     "c.relnamespace = n.oid\n"
     "AND c.relname = t.sequencename JOIN @.\"classes\" k ON k.oid = c.oid"},
    {"pg_catalog", "pg_partitioned_table",
     "partrelid\npartstrat\npartnatts\npartdefid\npartattrs\npartclass\npartcollation\npartexprs="
     "NULL",
     "JOIN @.\"visible\" v ON v.oid = t.partrelid WHERE t.partexprs IS NULL\n"
     "AND t.partattrs::pg_catalog.int2[] <@ ARRAY(\n"
     "    SELECT c.attnum FROM @.\"columns\" c WHERE c.relid = t.partrelid)"},
    {"pg_catalog", "pg_enum", "oid\nenumtypid\nenumsortorder\nenumlabel",
     "WHERE EXISTS (SELECT FROM @.\"types\" y WHERE y.oid = t.enumtypid)"},
    {"pg_catalog", "pg_language",
     "oid\nlanname\nlanowner\nlanispl\nlanpltrusted\nlanplcallfoid\nlaninline\nlanvalidator\nlanacl"
     "=NULL",
     ""},
    {"pg_catalog", "pg_tablespace", "oid\nspcname\nspcowner\nspcacl=NULL\nspcoptions=NULL", ""},
    {"pg_catalog", "pg_roles",
     "rolname=" PERSON
     "\nrolsuper=false\nrolinherit=true\nrolcreaterole=false\nrolcreatedb=false\nrolcanlogin=true\n"
     "rolreplication=false\nrolconnlimit=-1\nrolpassword='********'\nrolvaliduntil="
     "NULL\nrolbypassrls=false\n"
     "rolconfig=NULL\noid",
     "WHERE t.rolname = current_user"},
    {"pg_catalog", "pg_user",
     "usename=" PERSON
     "\nusesysid=r.oid\nusecreatedb=false\nusesuper=false\nuserepl=false\nusebypassrls=false\n"
     "passwd='********'\nvaluntil=NULL\nuseconfig=NULL",
     "FROM pg_catalog.pg_roles r WHERE r.rolname = current_user"},
    {"pg_catalog", "pg_settings",
     "name\nsetting=@.\"current_setting\"(t.name, "
     "true)\nunit\ncategory\nshort_desc\nextra_desc\ncontext\nvartype\nsource\n"
     "min_val\nmax_val\nenumvals\nboot_val\nreset_val=t.boot_val\nsourcefile=NULL\nsourceline="
     "NULL\n"
     "pending_restart=false",
     "JOIN @.\"settings\" s ON s.name = pg_catalog.lower(t.name)"},
    {"pg_catalog", "pg_tables",
     "schemaname=n.nspname\ntablename=c.relname\ntableowner=" OWNER(
         "c.relowner") "\ntablespace=NULL\n"
                       "hasindexes=EXISTS (SELECT FROM pg_catalog.pg_index i JOIN @.\"indexes\" x "
                       "ON x.oid = i.indexrelid WHERE "
                       "i.indrelid = c.oid)\n"
                       "hasrules=false\nhastriggers=false\nrowsecurity=false",
     NAMED_CLASS "WHERE c.relkind IN ('r', 'p')"},
    {"pg_catalog", "pg_views",
     "schemaname=n.nspname\nviewname=c.relname\nviewowner=" OWNER("c.relowner") "\ndefinition=NULL",
     NAMED_CLASS "WHERE c.relkind = 'v'"},
    {"pg_catalog", "pg_matviews",
     "schemaname=n.nspname\nmatviewname=c.relname\nmatviewowner=" OWNER(
         "c.relowner") "\ntablespace=NULL\n"
                       "hasindexes=false\nispopulated=c.relispopulated\ndefinition=NULL",
     NAMED_CLASS "WHERE c.relkind = 'm'"},
    {"pg_catalog", "pg_indexes",
     "schemaname=n.nspname\ntablename=c.relname\nindexname=i.relname\ntablespace=NULL\n"
     "indexdef=pg_catalog.pg_get_indexdef(i.oid)",
     NAMED_CLASS "JOIN pg_catalog.pg_index x ON x.indrelid = c.oid JOIN @.\"indexes\" s ON s.oid = "
                 "x.indexrelid\n"
                 "JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid"},
    {"pg_catalog", "pg_extension",
     "oid\nextname\nextowner\nextnamespace\nextrelocatable\nextversion\nextconfig="
     "NULL\nextcondition=NULL",
     ""},
    {"pg_catalog", "pg_depend",
     "classid\nobjid\nobjsubid\nrefclassid\nrefobjid\nrefobjsubid\ndeptype",
     "WHERE t.classid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
     "AND t.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
     "AND EXISTS (SELECT FROM @.\"classes\" c WHERE c.oid = t.objid AND c.what IN ('i', 'S'))\n"
     "AND EXISTS (SELECT FROM @.\"columns\" c WHERE c.relid = t.refobjid AND c.attnum = "
     "t.refobjsubid)"},
    {"pg_catalog", "pg_trigger", "*", NO_ROWS},
    {"pg_catalog", "pg_rewrite", "*", NO_ROWS},
    {"pg_catalog", "pg_policy", "*", NO_ROWS},
    {"pg_catalog", "pg_policies", "*", NO_ROWS},
    {"pg_catalog", "pg_rules", "*", NO_ROWS},
    {"pg_catalog", "pg_group", "*", NO_ROWS},
    {"pg_catalog", "pg_auth_members", "*", NO_ROWS},
    {"pg_catalog", "pg_statistic_ext", "*", NO_ROWS},
    {"pg_catalog", "pg_publication", "*", NO_ROWS},
    {"pg_catalog", "pg_publication_rel", "*", NO_ROWS},
    {"pg_catalog", "pg_publication_namespace", "*", NO_ROWS},
    {"pg_catalog", "pg_publication_tables", "*", NO_ROWS},
    {"pg_catalog", "pg_foreign_table", "*", NO_ROWS},
    {"pg_catalog", "pg_foreign_server", "*", NO_ROWS},
    {"pg_catalog", "pg_foreign_data_wrapper", "*", NO_ROWS},
    {"pg_catalog", "pg_event_trigger", "*", NO_ROWS},
    {"pg_catalog", "pg_default_acl", "*", NO_ROWS},
    {"pg_catalog", "pg_db_role_setting", "*", NO_ROWS},
    {"pg_catalog", "pg_parameter_acl", "*", NO_ROWS},
    {"pg_catalog", "pg_largeobject_metadata", "*", NO_ROWS},
    {"pg_catalog", "pg_user_mappings", "*", NO_ROWS},
    /* Not *: its connection strings are closed even to the guards' owner. */
    {"pg_catalog", "pg_subscription",
     "oid=NULL\nsubdbid=NULL\nsubskiplsn=NULL\nsubname=NULL\nsubowner=NULL\nsubenabled=NULL\n"
     "subbinary=NULL\nsubstream=NULL\nsubtwophasestate=NULL\nsubdisableonerr=NULL\nsubconninfo=NULL"
     "\nsubslotname=NULL\nsubsynccommit=NULL\nsubpublications=NULL",
     NO_ROWS},

    {"information_schema", "information_schema_catalog_name", "catalog_name", ""},
    {"information_schema", "schemata",
     "catalog_name=" DATABASE "\nschema_name=n.nspname\nschema_owner=" OWNER(
         "n.nspowner") "\n"
                       "default_character_set_catalog=NULL\ndefault_character_set_schema="
                       "NULL\ndefault_character_set_name=NULL\n"
                       "sql_path=NULL",
     "FROM pg_catalog.pg_namespace n JOIN @.\"schemas\" s ON s.oid = n.oid"},
    {"information_schema", "tables",
     "table_catalog=" DATABASE "\ntable_schema=n.nspname\ntable_name=c.relname\n"
     "table_type=CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN' ELSE 'BASE TABLE' "
     "END\n"
     "self_referencing_column_name=NULL\nreference_generation=NULL\nuser_defined_type_catalog="
     "NULL\n"
     "user_defined_type_schema=NULL\nuser_defined_type_name=NULL\n"
     "is_insertable_into=CASE WHEN pg_catalog.has_any_column_privilege(v.guard, 'INSERT') THEN "
     "'YES' ELSE 'NO' END\n"
     "is_typed='NO'\ncommit_action=NULL",
     NAMED_CLASS "WHERE c.relkind <> 'm'"},
    {"information_schema", "views",
     "table_catalog=" DATABASE
     "\ntable_schema=n.nspname\ntable_name=c.relname\nview_definition=NULL\n"
     "check_option='NONE'\nis_updatable='NO'\nis_insertable_into='NO'\nis_trigger_updatable='NO'\n"
     "is_trigger_deletable='NO'\nis_trigger_insertable_into='NO'",
     NAMED_CLASS "WHERE c.relkind = 'v'"},
    {"information_schema", "columns",
     "table_catalog=" DATABASE
     "\ntable_schema=n.nspname\ntable_name=c.relname\ncolumn_name=a.attname\n"
     "ordinal_position=a.attnum\n"
     "column_default=CASE WHEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ "
     "'^nextval\\(''[^'']*''::regclass\\)$' "
     "THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END\n"
     "is_nullable=CASE WHEN b.attnotnull OR y.typnotnull THEN 'NO' ELSE 'YES' END\n"
     "data_type=CASE WHEN y.typelem <> 0 AND y.typlen = -1 THEN 'ARRAY' WHEN e.typnamespace = "
     "'pg_catalog'::pg_catalog.regnamespace THEN pg_catalog.format_type(e.oid, NULL) ELSE "
     "'USER-DEFINED' END\n"
     "character_maximum_length=information_schema._pg_char_max_length(e.oid, m.typmod)\n"
     "character_octet_length=information_schema._pg_char_octet_length(e.oid, m.typmod)\n"
     "numeric_precision=information_schema._pg_numeric_precision(e.oid, m.typmod)\n"
     "numeric_precision_radix=information_schema._pg_numeric_precision_radix(e.oid, m.typmod)\n"
     "numeric_scale=information_schema._pg_numeric_scale(e.oid, m.typmod)\n"
     "datetime_precision=information_schema._pg_datetime_precision(e.oid, m.typmod)\n"
     "interval_type=NULL\ninterval_precision=NULL\ncharacter_set_catalog=NULL\ncharacter_set_"
     "schema=NULL\n"
     "character_set_name=NULL\ncollation_catalog=NULL\ncollation_schema=NULL\ncollation_name=NULL\n"
     "domain_catalog=CASE WHEN y.typtype = 'd' THEN " DATABASE " END\n"
     "domain_schema=CASE WHEN y.typtype = 'd' THEN yn.nspname END\n"
     "domain_name=CASE WHEN y.typtype = 'd' THEN y.typname END\n"
     "udt_catalog=" DATABASE
     "\nudt_schema=en.nspname\nudt_name=e.typname\nscope_catalog=NULL\nscope_schema=NULL\n"
     "scope_name=NULL\nmaximum_cardinality=NULL\ndtd_identifier=a.attnum\nis_self_referencing='NO'"
     "\n"
     "is_identity=CASE WHEN b.attidentity IN ('a', 'd') THEN 'YES' ELSE 'NO' END\n"
     "identity_generation=CASE b.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' "
     "END\n"
     "identity_start=NULL\nidentity_increment=NULL\nidentity_maximum=NULL\nidentity_minimum="
     "NULL\nidentity_cycle='NO'\n"
     "is_generated=CASE WHEN b.attgenerated = '' THEN 'NEVER' ELSE 'ALWAYS' "
     "END\ngeneration_expression=NULL\n"
     "is_updatable=CASE WHEN pg_catalog.has_column_privilege(a.guard, a.guard_attnum, 'UPDATE') "
     "THEN 'YES' ELSE 'NO' "
     "END",
     NAMED_CLASS "JOIN @.\"columns\" a ON a.relid = c.oid\n"
                 "JOIN pg_catalog.pg_attribute b ON b.attrelid = c.oid AND b.attnum = a.attnum\n"
                 "LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum\n"
                 "JOIN pg_catalog.pg_type y ON y.oid = a.atttypid JOIN pg_catalog.pg_namespace yn "
                 "ON yn.oid = y.typnamespace\n"
                 "JOIN pg_catalog.pg_type e ON e.oid = CASE WHEN y.typtype = 'd' THEN "
                 "y.typbasetype ELSE y.oid END\n"
                 "JOIN pg_catalog.pg_namespace en ON en.oid = e.typnamespace\n"
                 "CROSS JOIN LATERAL (SELECT CASE WHEN y.typtype = 'd' THEN y.typtypmod ELSE "
                 "a.atttypmod END AS typmod) m\n"
                 "WHERE c.relkind <> 'm'"},
    {"information_schema", "table_constraints",
     "constraint_catalog=" DATABASE "\nconstraint_schema=kn.nspname\nconstraint_name=k.conname\n"
     "table_catalog=" DATABASE "\ntable_schema=n.nspname\ntable_name=c.relname\n"
     "constraint_type=CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' ELSE "
     "'FOREIGN KEY' END\n"
     "is_deferrable=CASE WHEN k.condeferrable THEN 'YES' ELSE 'NO' END\n"
     "initially_deferred=CASE WHEN k.condeferred THEN 'YES' ELSE 'NO' END\nenforced='YES'",
     NAMED_CLASS "JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid JOIN @.\"constraints\" x "
                 "ON x.oid = k.oid\n"
                 "JOIN pg_catalog.pg_namespace kn ON kn.oid = k.connamespace"},
    {"information_schema", "key_column_usage",
     "constraint_catalog=" DATABASE "\nconstraint_schema=kn.nspname\nconstraint_name=k.conname\n"
     "table_catalog=" DATABASE
     "\ntable_schema=n.nspname\ntable_name=c.relname\ncolumn_name=a.attname\n"
     "ordinal_position=u.pos\n"
     "position_in_unique_constraint=CASE WHEN k.contype = 'f' THEN "
     "information_schema._pg_index_position(k.conindid, "
     "k.confkey[u.pos]) END",
     NAMED_CLASS "JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid JOIN @.\"constraints\" x "
                 "ON x.oid = k.oid\n"
                 "JOIN pg_catalog.pg_namespace kn ON kn.oid = k.connamespace\n"
                 "CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY u(attnum, pos)\n"
                 "JOIN @.\"columns\" a ON a.relid = c.oid AND a.attnum = u.attnum"},
    {"information_schema", "constraint_column_usage",
     "table_catalog=" DATABASE
     "\ntable_schema=n.nspname\ntable_name=c.relname\ncolumn_name=a.attname\n"
     "constraint_catalog=" DATABASE "\nconstraint_schema=kn.nspname\nconstraint_name=k.conname",
     NAMED_CLASS "JOIN pg_catalog.pg_constraint k ON CASE WHEN k.contype = 'f' THEN k.confrelid "
                 "ELSE k.conrelid END = c.oid\n"
                 "JOIN @.\"constraints\" x ON x.oid = k.oid JOIN pg_catalog.pg_namespace kn ON "
                 "kn.oid = k.connamespace\n"
                 "JOIN @.\"columns\" a ON a.relid = c.oid\n"
                 "AND a.attnum = ANY (CASE WHEN k.contype = 'f' THEN k.confkey ELSE k.conkey END)"},
    {"information_schema", "referential_constraints",
     "constraint_catalog=" DATABASE "\nconstraint_schema=kn.nspname\nconstraint_name=k.conname\n"
     "unique_constraint_catalog=" DATABASE
     "\nunique_constraint_schema=pn.nspname\nunique_constraint_name=p.conname\n"
     "match_option=CASE k.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' ELSE 'NONE' "
     "END\n"
     "update_rule=CASE k.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' "
     "THEN 'SET DEFAULT' WHEN "
     "'r' THEN 'RESTRICT' ELSE 'NO ACTION' END\n"
     "delete_rule=CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' "
     "THEN 'SET DEFAULT' WHEN "
     "'r' THEN 'RESTRICT' ELSE 'NO ACTION' END",
     "FROM pg_catalog.pg_constraint k JOIN @.\"constraints\" x ON x.oid = k.oid\n"
     "JOIN pg_catalog.pg_namespace kn ON kn.oid = k.connamespace\n"
     "LEFT JOIN pg_catalog.pg_constraint p ON p.conindid = k.conindid AND p.contype IN ('p', 'u') "
     "AND p.conrelid = "
     "k.confrelid\n"
     "LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.connamespace WHERE k.contype = 'f'"},
    {"information_schema", "sequences",
     "sequence_catalog=" DATABASE "\nsequence_schema=n.nspname\nsequence_name=c.relname\n"
     "data_type=pg_catalog.format_type(s.seqtypid, "
     "NULL)\nnumeric_precision=64\nnumeric_precision_radix=2\n"
     "numeric_scale=0\nstart_value=s.seqstart\nminimum_value=s.seqmin\nmaximum_value=s.seqmax\n"
     "increment=s.seqincrement\ncycle_option=CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END",
     "FROM @.\"classes\" k JOIN pg_catalog.pg_class c ON c.oid = k.oid AND k.what = 'S'\n"
     "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_sequence s ON "
     "s.seqrelid = c.oid"},
    {"information_schema", "routines",
     "specific_catalog=" DATABASE
     "\nspecific_schema=n.nspname\nspecific_name=p.proname || '_' || p.oid::text\n"
     "routine_catalog=" DATABASE "\nroutine_schema=n.nspname\nroutine_name=p.proname\n"
     "routine_type=CASE p.prokind WHEN 'f' THEN 'FUNCTION' WHEN 'p' THEN 'PROCEDURE' END\n"
     "data_type=pg_catalog.format_type(p.prorettype, NULL)\nroutine_definition=NULL",
     "FROM pg_catalog.pg_proc p JOIN @.\"procedures\" x ON x.oid = p.oid\n"
     "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"},
};

const struct guard_catalog_view *guard_catalog_views(size_t *count)
{
    *count = sizeof(views) / sizeof(views[0]);
    return views;
}

const char *const *guard_catalog_helpers(size_t *count)
{
    *count = sizeof(helpers) / sizeof(helpers[0]);
    return helpers;
}
