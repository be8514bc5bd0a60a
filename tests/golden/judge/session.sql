# nurse care
BEGIN
=> BEGIN

BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE
=> BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE

START TRANSACTION READ WRITE
=> START TRANSACTION READ WRITE

COMMIT AND CHAIN
=> COMMIT AND CHAIN

END
=> END

ROLLBACK
=> ROLLBACK

ABORT
=> ABORT

SAVEPOINT "Über"
=> SAVEPOINT "Über"

RELEASE SAVEPOINT a
=> RELEASE SAVEPOINT a

ROLLBACK TO SAVEPOINT a
=> ROLLBACK TO SAVEPOINT a

BEGIN; SELECT id FROM patients; COMMIT
=> BEGIN; SELECT id FROM "G:"."public.patients" AS "patients"; COMMIT
-- public.patients(id)

SET datestyle = ISO, DMY
=> SET datestyle = ISO, DMY

SET TIME ZONE 'Europe/Paris'
=> SET TIME ZONE 'Europe/Paris'

SET TIME ZONE LOCAL
=> SET TIME ZONE LOCAL

SET SESSION statement_timeout TO 1000
=> SET SESSION statement_timeout TO 1000

SET LOCAL pgvigil.mission = 'care'
=> SET LOCAL pgvigil.mission = 'care'

SET pgvigil.user = 'anna'
=> SET pgvigil.usr_ = 'anna'

set local PgVigil . /* who */ USER to 'anna'
=> set local PgVigil . /* who */ usr_ to 'anna'

SET SESSION pgvigil.user TO DEFAULT
=> SET SESSION pgvigil.usr_ TO DEFAULT

SET pgvigil."user" = 'anna'
=> SET pgvigil."user" = 'anna'

RESET pgvigil.user
=> RESET pgvigil.usr_

SHOW pgvigil.user; SHOW Pgvigil.User
=> refused 0A000 statement: SHOW pgvigil.user must be sent by itself, not with other statements

SHOW pgvigil.user
=> SHOW pgvigil.usr_

SET pgvigils.user = 'anna'
=> refused 42601 syntax: syntax error at or near "user"

SET LOCAL my.user = 'anna'
=> refused 42601 syntax: syntax error at or near "user"

ALTER ROLE nurse SET pgvigil.user = 'anna'
=> refused 42601 syntax: syntax error at or near "user"

UPDATE patients SET pgvigil.user = 'anna' WHERE id = 1
=> refused 42501 write: rows of relation "public.patients" may not be updated for role "nurse" in mission "care"

SELECT 1 FROM patients WHERE id = 1 AND set pgvigil.user = 'x'
=> refused 42601 syntax: syntax error at or near "pgvigil"

SELECT pgvigil.user FROM patients pgvigil
=> refused 42501 function: "user" could be a call of the function of that name, which is not available for role "nurse" in mission "care"

SET LOCAL statement_timeout TO DEFAULT
=> SET LOCAL statement_timeout TO DEFAULT

RESET statement_timeout
=> RESET statement_timeout

RESET ALL
=> RESET ALL

SET search_path = ehr, public
=> SET search_path = ehr, public

SET SCHEMA 'ehr'
=> SET SCHEMA 'ehr'

SET pgvigil.mission = 'billing'
=> SET pgvigil.mission = 'billing'

SET PgVigil.Patient TO 12
=> SET PgVigil.Patient TO 12

RESET pgvigil.reason
=> RESET pgvigil.reason

SET TRANSACTION ISOLATION LEVEL REPEATABLE READ
=> SET TRANSACTION ISOLATION LEVEL REPEATABLE READ

SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
=> SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY

SET NAMES 'UTF-8'
=> SET NAMES 'UTF-8'

SET standard_conforming_strings = on
=> SET standard_conforming_strings = on

SHOW TRANSACTION ISOLATION LEVEL
=> SHOW TRANSACTION ISOLATION LEVEL

SHOW TIME ZONE
=> SHOW TIME ZONE

SHOW pgvigil.mission
=> SHOW pgvigil.mission

SHOW server_version
=> SHOW server_version

DISCARD ALL
=> DISCARD ALL

DEALLOCATE ALL
=> DEALLOCATE ALL

DEALLOCATE PREPARE "Stmt 1"
=> DEALLOCATE PREPARE "Stmt 1"
