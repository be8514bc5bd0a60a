// JDBC: temporary tables, printed one line a result. Arguments: URL, user, password. Run as a single-file source program.

import java.sql.*;
import java.util.*;

public class test_temporary_drivers {
    static void print(String name, ResultSet rows) throws SQLException {
        ResultSetMetaData meta = rows.getMetaData();
        StringBuilder line = new StringBuilder(name + " :");
        for (int i = 1; i <= meta.getColumnCount(); i++) line.append(" ").append(meta.getColumnLabel(i)).append("/").append(meta.getColumnTypeName(i));
        while (rows.next()) {
            line.append("\n ");
            for (int i = 1; i <= meta.getColumnCount(); i++) line.append(" |").append(rows.getObject(i));
        }
        System.out.println(line);
    }

    static void failing(Connection c, String sql) {
        try (Statement s = c.createStatement()) {
            s.execute(sql);
            System.out.println("no error");
        } catch (SQLException error) {
            System.out.println("error " + error.getSQLState() + " " + error.getMessage().split("\n")[0]);
        }
    }

    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", args[1]);
        properties.setProperty("password", args[2]);
        try (Connection c = DriverManager.getConnection(args[0], properties)) {
            try (Statement s = c.createStatement()) {
                System.out.println(s.executeUpdate("CREATE TEMP TABLE t (a int PRIMARY KEY, b text, d date)"));
                System.out.println(s.executeUpdate("CREATE TEMP TABLE q AS SELECT id, name, score FROM m.persons WHERE id < 12"));
            }
            try (PreparedStatement s = c.prepareStatement("INSERT INTO t VALUES (?, ?, '2020-01-01')")) {
                for (int i = 1; i <= 300; i++) {
                    s.setInt(1, i);
                    s.setString(2, "b" + i);
                    s.addBatch();
                }
                System.out.println(Arrays.stream(s.executeBatch()).sum());
            }
            try (PreparedStatement s = c.prepareStatement("SELECT t.a, t.b, t.d, q.score FROM t JOIN q ON q.id = t.a WHERE t.a > ? ORDER BY 1")) {
                for (int i = 0; i < 8; i++) {   // past prepareThreshold: named statements and binary results
                    s.setInt(1, i);
                    print("prepared " + i, s.executeQuery());
                }
            }
            c.setAutoCommit(false);
            try (PreparedStatement s = c.prepareStatement("SELECT a FROM t ORDER BY a")) {
                s.setFetchSize(50);           // Execute with a row limit, portal suspended
                print("fetch size", s.executeQuery());
            }
            Savepoint savepoint = c.setSavepoint("sp");
            try (Statement s = c.createStatement()) {
                s.executeUpdate("DROP TABLE t");
            }
            failing(c, "SELECT * FROM t");
            c.rollback(savepoint);
            try (Statement s = c.createStatement(); PreparedStatement p = c.prepareStatement("SELECT count(*) FROM t")) {
                print("back", p.executeQuery());
                s.executeUpdate("CREATE TEMP TABLE gone (a int) ON COMMIT DROP");
                System.out.println(s.executeUpdate("INSERT INTO gone SELECT a FROM t WHERE a < 4"));
            }
            c.commit();
            failing(c, "SELECT * FROM gone");
            c.rollback();
        }
    }
}
