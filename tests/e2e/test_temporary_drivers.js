// node-pg: temporary tables, printed as one JSON line a result. Arguments: host, port, database, user, password, CA file.

const fs = require("fs");
const { Client } = require("pg");

const [host, port, database, user, password, ca] = process.argv.slice(2);
const ssl = { ca: fs.readFileSync(ca), servername: "localhost", rejectUnauthorized: true };

async function main() {
  const client = new Client({ host, port: Number(port), database, user, password, ssl });
  await client.connect();
  const show = (name, result) => console.log(JSON.stringify([name, result.command, result.rowCount, result.fields.map((f) => f.name), result.rows]));
  const failing = async (sql) => {
    try {
      show("no error", await client.query(sql));
    } catch (error) {
      console.log(JSON.stringify(["error", error.code, error.message]));
    }
  };
  show("create", await client.query("CREATE TEMP TABLE t (a int PRIMARY KEY, b text)"));
  const many = await Promise.all([1, 2, 3, 4, 5].map((n) => client.query("INSERT INTO t VALUES ($1, $2) RETURNING a", [n, "b" + n])));
  many.forEach((result, n) => show("queued " + n, result));
  for (let i = 0; i < 8; i++) show("named " + i, await client.query({ name: "by a", text: "SELECT t.a, p.name FROM t JOIN m.persons p ON p.id = t.a WHERE t.a > $1 ORDER BY 1", values: [i] }));
  await client.query("BEGIN");
  show("as", await client.query("CREATE TEMP TABLE u ON COMMIT DROP AS SELECT * FROM m.visits WHERE id < $1", [9]));
  show("joined", await client.query("SELECT count(*) FROM u JOIN t ON t.a = u.person"));
  await client.query("COMMIT");
  await failing("SELECT * FROM u");
  await client.query("DROP TABLE t");
  await failing({ name: "by a", text: "SELECT t.a, p.name FROM t JOIN m.persons p ON p.id = t.a WHERE t.a > $1 ORDER BY 1", values: [1] });
  show("texts", (await client.query("CREATE TEMP TABLE t (z int); INSERT INTO t VALUES (1), (2); SELECT sum(z) FROM t"))[2]);
  await client.end();
}

main().catch((error) => { console.error(error); process.exit(1); });
