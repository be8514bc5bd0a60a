// JDBC: what DatabaseMetaData tells, one line a row. Arguments: URL, user, password. Run as a single-file source program.

import java.sql.*;
import java.util.*;

public class test_reflection_java {
    interface Call {
        ResultSet run(DatabaseMetaData meta) throws SQLException;
    }

    // What names the session or its owner, and what a pair does not see of an object.
    static final Set<String> LEFT_OUT = new HashSet<>(Arrays.asList("TABLE_CAT", "PKTABLE_CAT", "FKTABLE_CAT", "PROCEDURE_CAT", "FUNCTION_CAT", "TYPE_CAT", "CARDINALITY", "PAGES"));

    static void print(String name, DatabaseMetaData meta, Call call) {
        try (ResultSet rows = call.run(meta)) {
            ResultSetMetaData columns = rows.getMetaData();
            while (rows.next()) {
                StringBuilder line = new StringBuilder(name + " :");
                for (int i = 1; i <= columns.getColumnCount(); i++)
                    if (!LEFT_OUT.contains(columns.getColumnLabel(i).toUpperCase()))
                        line.append(" ").append(columns.getColumnLabel(i)).append("=").append(rows.getString(i));
                System.out.println(line);
            }
            System.out.println(name + " done");
        } catch (SQLException error) {
            System.out.println(name + " FAILED " + error.getSQLState() + " " + error.getMessage().split("\n")[0]);
        }
    }

    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", args[1]);
        properties.setProperty("password", args[2]);
        String[] tables = {"patients", "stays", "observations", "observations_2024", "practitioners", "lab_results", "patient_stays", "ward_occupancy", "staff_salaries", "zzcanary_b"};
        try (Connection c = DriverManager.getConnection(args[0], properties)) {
            DatabaseMetaData meta = c.getMetaData();
            print("schemas", meta, m -> m.getSchemas());
            print("schema pub", meta, m -> m.getSchemas(null, "pub%"));
            print("types of tables", meta, m -> m.getTableTypes());
            for (String schema : new String[] {"public", "app", "zzcanary_schema"}) {
                print("tables " + schema, meta, m -> m.getTables(null, schema, "%", null));
                print("columns " + schema, meta, m -> m.getColumns(null, schema, "%", "%"));
                print("functions " + schema, meta, m -> m.getFunctions(null, schema, "%"));
                print("procedures " + schema, meta, m -> m.getProcedures(null, schema, "%"));
                print("procedure columns " + schema, meta, m -> m.getProcedureColumns(null, schema, "%", "%"));
                print("function columns " + schema, meta, m -> m.getFunctionColumns(null, schema, "%", "%"));
                print("user types " + schema, meta, m -> m.getUDTs(null, schema, "%", null));
            }
            print("only tables", meta, m -> m.getTables(null, "public", "%", new String[] {"TABLE", "VIEW", "PARTITIONED TABLE"}));
            print("tables anywhere", meta, m -> m.getTables(null, null, "%a%", new String[] {"TABLE", "VIEW", "MATERIALIZED VIEW"}));
            print("hidden columns", meta, m -> m.getColumns(null, null, "%", "nir"));
            for (String table : tables) {
                print("primary " + table, meta, m -> m.getPrimaryKeys(null, "public", table));
                print("imported " + table, meta, m -> m.getImportedKeys(null, "public", table));
                print("exported " + table, meta, m -> m.getExportedKeys(null, "public", table));
                print("best row " + table, meta, m -> m.getBestRowIdentifier(null, "public", table, DatabaseMetaData.bestRowSession, true));
                print("index " + table, meta, m -> m.getIndexInfo(null, "public", table, false, true));
                print("unique index " + table, meta, m -> m.getIndexInfo(null, "public", table, true, true));
                print("version columns " + table, meta, m -> m.getVersionColumns(null, "public", table));
            }
            print("cross", meta, m -> m.getCrossReference(null, "public", "patients", null, "public", "stays"));
            print("type info", meta, m -> m.getTypeInfo());
            print("client info", meta, m -> m.getClientInfoProperties());
            for (String table : tables) {
                print("table rights " + table, meta, m -> m.getTablePrivileges(null, "public", table));
                print("column rights " + table, meta, m -> m.getColumnPrivileges(null, "public", table, "%"));
            }
            print("catalogs", meta, m -> m.getCatalogs());
            System.out.println("keywords : " + meta.getSQLKeywords().length() + " names " + meta.getMaxColumnNameLength() + " " + meta.getMaxIndexLength() + " product " + meta.getDatabaseProductVersion());
            System.out.println("user : " + meta.getUserName());
        }
    }
}
