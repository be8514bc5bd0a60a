// node-pg: notifications while idle. Arguments: host, port, database, user, password, CA file. Prints each as "channel payload".

const fs = require("fs");
const { Client } = require("pg");

const [host, port, database, user, password, ca] = process.argv.slice(2);
const ssl = { ca: fs.readFileSync(ca), servername: "localhost", rejectUnauthorized: true };
const open = async () => {
  const client = new Client({ host, port: Number(port), database, user, password, ssl });
  await client.connect();
  return client;
};

async function main() {
  const client = await open();
  const other = await open();
  const heard = new Promise((resolve) => {
    let count = 0;
    client.on("notification", (n) => {
      console.log(n.channel + " " + n.payload);
      if (++count === 2) resolve();
    });
  });
  await client.query("LISTEN ward_8");
  await other.query("SELECT pg_notify($1, $2)", ["ward_8", "from another"]);
  await other.query("NOTIFY ward_8, 'by text'");
  await heard;
  await client.end();
  await other.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
