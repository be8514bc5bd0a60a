// node-pg: the reads of test_drivers.py, printed as one JSON line a result. Arguments: host, port, database, user, password, CA file,
// then "restricted" or "".

const fs = require("fs");
const { Client } = require("pg");

const [host, port, database, user, password, ca, kind] = process.argv.slice(2);
const ssl = { ca: fs.readFileSync(ca), servername: "localhost", rejectUnauthorized: true };

async function main() {
  const client = new Client({ host, port: Number(port), database, user, password, ssl });
  await client.connect();
  const show = (name, result) =>
    console.log(JSON.stringify([name, result.command, result.rowCount, result.fields.map((f) => [f.name, f.dataTypeID, f.tableID, f.columnID]), result.rows]));
  show("simple", await client.query("SELECT id, name, beds FROM wards ORDER BY id"));
  show("types", await client.query("SELECT id, birth_date, sex, allergies, created_at, phone FROM patients ORDER BY id LIMIT 5"));
  show("parameters", await client.query("SELECT id, name FROM wards WHERE id = $1 OR name = $2 ORDER BY id", [3, "Neurologie"]));
  for (let i = 0; i < 8; i++)
    show("named " + i, await client.query({ name: "by id", text: "SELECT p.id, p.sex FROM patients p WHERE p.id > $1 ORDER BY p.id LIMIT 4", values: [i * 10] }));
  show("array", await client.query({ text: "SELECT id, name FROM wards ORDER BY id", rowMode: "array" }));
  show("two", (await client.query("SELECT 1 AS a; SELECT 2 AS b"))[1]);
  const many = await Promise.all([1, 2, 3, 4, 5].map((n) => client.query("SELECT $1::int AS n, count(*) FROM stays", [n])));
  many.forEach((result, n) => show("queued " + n, result));
  try {
    await client.query("SELECT no_such_column FROM wards");
    console.log("no error");
  } catch (error) {
    console.log(JSON.stringify(["error", error.code, error.message, error.position]));
  }
  await client.query("BEGIN");
  show("in transaction", await client.query("SELECT count(*) FROM wards"));
  await client.query("ROLLBACK");
  if (kind === "restricted")
    for (const sql of ["SELECT nir FROM patients", "SELECT * FROM staff_salaries", "UPDATE patients SET city = 'x'"]) {
      try {
        await client.query(sql);
        console.log("NOT REFUSED " + sql);
      } catch (error) {
        console.log(JSON.stringify(["refused", error.code]));
      }
    }
  await client.end();
}

main().catch((error) => { console.error(error); process.exit(1); });
