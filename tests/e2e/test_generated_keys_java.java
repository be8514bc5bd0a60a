// JDBC: generated keys, and what Hibernate's sequence generator sends. Arguments: URL, user, password.

import java.sql.*;

public class test_generated_keys_java {
    public static void main(String[] args) throws Exception {
        try (Connection c = DriverManager.getConnection(args[0], args[1], args[2])) {
            for (boolean autocommit : new boolean[] {true, false}) {
                c.setAutoCommit(autocommit);
                try (PreparedStatement s = c.prepareStatement("INSERT INTO s.persons (name) VALUES (?)", new String[] {"id"})) {
                    for (int i = 0; i < 7; i++) {
                        s.setString(1, "java");
                        s.executeUpdate();
                        ResultSet keys = s.getGeneratedKeys();
                        if (!keys.next() || keys.getLong(1) <= 0) throw new Exception("no key");
                    }
                }
                long last = 0;
                try (PreparedStatement s = c.prepareStatement("select nextval ('s.tickets')")) {
                    for (int i = 0; i < 7; i++) {
                        ResultSet next = s.executeQuery();
                        next.next();
                        if (next.getLong(1) <= last) throw new Exception("it does not grow");
                        last = next.getLong(1);
                    }
                }
                try (Statement s = c.createStatement(); ResultSet now = s.executeQuery("select currval('s.tickets')")) {
                    now.next();
                    System.out.println("the last one " + (now.getLong(1) == last));
                }
                if (!autocommit) c.commit();
            }
            c.setAutoCommit(true);
            try (Statement s = c.createStatement()) {
                s.executeQuery("select nextval ('s.secret_id_seq')");
            } catch (SQLException error) {
                System.out.println("error " + error.getSQLState());
            }
        }
    }
}
