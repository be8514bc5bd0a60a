# imager care
SELECT lo_create(0)
=> SELECT pg_catalog.lo_create(0)

SELECT lo_creat(-1)
=> SELECT pg_catalog.lo_creat(-1)

SELECT lo_open(16400, 131072)
=> SELECT pg_catalog.lo_open(16400, 131072)

SELECT loread(lo_open(16400, 262144), 100)
=> SELECT pg_catalog.loread(pg_catalog.lo_open(16400, 262144), 100)

SELECT lowrite(0, 'x')
=> SELECT pg_catalog.lowrite(0, 'x')

SELECT lo_lseek(0, 0, 0)
=> SELECT pg_catalog.lo_lseek(0, 0, 0)

SELECT lo_lseek64(0, 0, 0)
=> SELECT pg_catalog.lo_lseek64(0, 0, 0)

SELECT lo_tell(0)
=> SELECT pg_catalog.lo_tell(0)

SELECT lo_tell64(0)
=> SELECT pg_catalog.lo_tell64(0)

SELECT lo_truncate(0, 1)
=> SELECT pg_catalog.lo_truncate(0, 1)

SELECT lo_truncate64(0, 1)
=> SELECT pg_catalog.lo_truncate64(0, 1)

SELECT lo_close(0)
=> SELECT pg_catalog.lo_close(0)

SELECT lo_unlink(16400)
=> SELECT pg_catalog.lo_unlink(16400)

SELECT lo_get(16400)
=> SELECT pg_catalog.lo_get(16400)

SELECT lo_get($1, 0, 10)
=> SELECT pg_catalog.lo_get($1, 0, 10)

SELECT lo_put(16400, 0, 'x')
=> SELECT pg_catalog.lo_put(16400, 0, 'x')

SELECT lo_from_bytea(0, 'x')
=> SELECT pg_catalog.lo_from_bytea(0, 'x')

SELECT pg_catalog.lo_get(16400)
=> SELECT pg_catalog.lo_get(16400)

SELECT lo_import('/etc/passwd')
=> refused 42501 function: function "lo_import" is not available for role "imager" in mission "care"

SELECT lo_import('/etc/passwd', 5)
=> refused 42501 function: function "lo_import" is not available for role "imager" in mission "care"

SELECT lo_export(16400, '/tmp/x')
=> refused 42501 function: function "lo_export" is not available for role "imager" in mission "care"

SELECT (16400).lo_get
=> refused 42501 function: "lo_get" could be a call of the function of that name, which is not available for role "imager" in mission "care"

SELECT * FROM lo_get(16400) AS o(x)
=> SELECT * FROM pg_catalog.lo_get(16400) AS o(x)

SELECT * FROM pg_largeobject
=> refused 42P01 relation: relation "pg_largeobject" does not exist

SELECT * FROM pg_largeobject_metadata
=> refused 42P01 relation: relation "pg_largeobject_metadata" does not exist

SELECT be_lo_get(1)
=> refused 42501 function: function "be_lo_get" is not available for role "imager" in mission "care"

SELECT public.lo_get(1)
=> refused 42501 function: function "public.lo_get" is not available for role "imager" in mission "care"

DECLARE c CURSOR FOR SELECT lo_get(16400)
=> DECLARE c CURSOR FOR SELECT pg_catalog.lo_get(16400)

ALTER LARGE OBJECT 16400 OWNER TO x
=> refused 0A000 statement: ALTER LARGE is not supported for role "imager" in mission "care"

GRANT SELECT ON LARGE OBJECT 16400 TO PUBLIC
=> refused 0A000 statement: GRANT is not supported for role "imager" in mission "care"

COMMENT ON LARGE OBJECT 16400 IS 'x'
=> refused 0A000 statement: COMMENT LARGE is not supported for role "imager" in mission "care"

# nurse care
SELECT lo_create(0)
=> refused 42501 function: function "lo_create" is not available for role "nurse" in mission "care"

SELECT lo_creat(-1)
=> refused 42501 function: function "lo_creat" is not available for role "nurse" in mission "care"

SELECT lo_open(16400, 131072)
=> refused 42501 function: function "lo_open" is not available for role "nurse" in mission "care"

SELECT loread(lo_open(16400, 262144), 100)
=> refused 42501 function: function "loread" is not available for role "nurse" in mission "care"

SELECT lowrite(0, 'x')
=> refused 42501 function: function "lowrite" is not available for role "nurse" in mission "care"

SELECT lo_lseek(0, 0, 0)
=> refused 42501 function: function "lo_lseek" is not available for role "nurse" in mission "care"

SELECT lo_lseek64(0, 0, 0)
=> refused 42501 function: function "lo_lseek64" is not available for role "nurse" in mission "care"

SELECT lo_tell(0)
=> refused 42501 function: function "lo_tell" is not available for role "nurse" in mission "care"

SELECT lo_tell64(0)
=> refused 42501 function: function "lo_tell64" is not available for role "nurse" in mission "care"

SELECT lo_truncate(0, 1)
=> refused 42501 function: function "lo_truncate" is not available for role "nurse" in mission "care"

SELECT lo_truncate64(0, 1)
=> refused 42501 function: function "lo_truncate64" is not available for role "nurse" in mission "care"

SELECT lo_close(0)
=> refused 42501 function: function "lo_close" is not available for role "nurse" in mission "care"

SELECT lo_unlink(16400)
=> refused 42501 function: function "lo_unlink" is not available for role "nurse" in mission "care"

SELECT lo_get(16400)
=> refused 42501 function: function "lo_get" is not available for role "nurse" in mission "care"

SELECT lo_get($1, 0, 10)
=> refused 42501 function: function "lo_get" is not available for role "nurse" in mission "care"

SELECT lo_put(16400, 0, 'x')
=> refused 42501 function: function "lo_put" is not available for role "nurse" in mission "care"

SELECT lo_from_bytea(0, 'x')
=> refused 42501 function: function "lo_from_bytea" is not available for role "nurse" in mission "care"

