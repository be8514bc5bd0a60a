// JDBC: the reads of test_drivers.py, printed one line a result. Arguments: URL, user, password. Run as a single-file source program.

import java.sql.*;
import java.util.*;

public class test_drivers_java {
    static void print(String name, ResultSet rows) throws SQLException {
        ResultSetMetaData meta = rows.getMetaData();
        StringBuilder line = new StringBuilder(name + " :");
        for (int i = 1; i <= meta.getColumnCount(); i++)
            line.append(" ").append(meta.getColumnLabel(i)).append("/").append(meta.getColumnTypeName(i)).append("/").append(meta.getTableName(i));
        while (rows.next()) {
            line.append("\n ");
            for (int i = 1; i <= meta.getColumnCount(); i++) {
                Object value = rows.getObject(i);
                if (value instanceof byte[]) value = Arrays.toString((byte[]) value);
                line.append(" |").append(value);
            }
        }
        System.out.println(line);
    }

    public static void main(String[] args) throws Exception {
        boolean restricted = args.length > 3 && args[3].equals("restricted");
        Properties properties = new Properties();
        properties.setProperty("user", args[1]);
        properties.setProperty("password", args[2]);
        try (Connection c = DriverManager.getConnection(args[0], properties)) {
            try (Statement s = c.createStatement()) {
                print("simple", s.executeQuery("SELECT id, name, beds FROM wards ORDER BY id"));
                print("types", s.executeQuery("SELECT id, birth_date, sex, allergies, created_at, phone FROM patients ORDER BY id LIMIT 5"));
            }
            try (PreparedStatement s = c.prepareStatement("SELECT id, name FROM wards WHERE id = ? OR name = ?")) {
                for (int i = 1; i <= 12; i++) {   // past prepareThreshold: named statements and binary results
                    s.setInt(1, i);
                    s.setString(2, "Neurologie");
                    print("prepared " + i, s.executeQuery());
                }
            }
            try (PreparedStatement s = c.prepareStatement("SELECT p.id, p.birth_date, s.admitted_at, l.value FROM patients p JOIN stays s ON s.patient_id = p.id JOIN lab_results l ON l.stay_id = s.id "
                    + "WHERE p.id < ? ORDER BY p.id, s.id, l.id")) {
                for (int i = 0; i < 7; i++) {
                    s.setLong(1, 30);
                    print("join " + i, s.executeQuery());
                }
            }
            c.setAutoCommit(false);
            try (PreparedStatement s = c.prepareStatement("SELECT id FROM stays ORDER BY id")) {
                s.setFetchSize(50);           // Execute with a row limit, portal suspended
                print("fetch size", s.executeQuery());
            }
            c.rollback();
            Savepoint savepoint = c.setSavepoint("sp");
            try (Statement s = c.createStatement()) {
                s.executeQuery("SELECT no_such_column FROM wards");
                System.out.println("no error");
            } catch (SQLException error) {
                System.out.println("error " + error.getSQLState() + " " + error.getMessage().split("\n")[0]);
            }
            c.rollback(savepoint);
            try (Statement s = c.createStatement()) {
                print("after", s.executeQuery("SELECT 1 AS one"));
            }
            c.commit();
            c.setAutoCommit(true);
            DatabaseMetaData meta = c.getMetaData();
            for (String table : new String[] {"wards", "patients", "staff_salaries"}) {
                try (ResultSet rows = meta.getColumns(null, "public", table, null)) {
                    while (rows.next())
                        System.out.println("column " + table + " " + rows.getString("COLUMN_NAME") + " " + rows.getString("TYPE_NAME"));
                }
            }
            try (ResultSet rows = meta.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"})) {
                while (rows.next())
                    System.out.println("table " + rows.getString("TABLE_NAME") + " " + rows.getString("TABLE_TYPE"));
            }
            try (ResultSet rows = meta.getPrimaryKeys(null, "public", "wards")) {
                while (rows.next())
                    System.out.println("key " + rows.getString("COLUMN_NAME"));
            }
            try (ResultSet rows = meta.getIndexInfo(null, "public", "wards", false, false)) {
                while (rows.next())
                    if (!restricted)
                        System.out.println("index " + rows.getString("COLUMN_NAME") + " " + rows.getString("NON_UNIQUE"));
            }
            try (Statement s = c.createStatement(); ResultSet rows = s.executeQuery("SELECT id, name AS n FROM wards WHERE id = 1")) {
                ResultSetMetaData m = rows.getMetaData();
                System.out.println("meta " + m.getColumnName(2) + " " + m.isNullable(1) + " " + m.isAutoIncrement(1));
            }
            if (restricted) {
                for (String sql : new String[] {"SELECT nir FROM patients", "SELECT * FROM staff_salaries", "UPDATE patients SET city = 'x'"}) {
                    try (Statement s = c.createStatement()) {
                        s.execute(sql);
                        System.out.println("NOT REFUSED " + sql);
                    } catch (SQLException error) {
                        System.out.println("refused " + error.getSQLState());
                    }
                }
            }
        }
    }
}
