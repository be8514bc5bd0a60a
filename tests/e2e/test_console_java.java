// JDBC on the console: simple, and prepared often enough to be a named statement with binary results. Arguments: URL, user, password.

import java.sql.*;
import java.util.*;

public class test_console_java {
    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", args[1]);
        properties.setProperty("password", args[2]);
        try (Connection c = DriverManager.getConnection(args[0], properties)) {
            try (Statement s = c.createStatement(); ResultSet rows = s.executeQuery("SHOW VERSION")) {
                rows.next();
                System.out.println(rows.getString("version"));
            }
            try (PreparedStatement s = c.prepareStatement("SHOW POOLS")) {
                for (int i = 0; i < 12; i++) {
                    try (ResultSet rows = s.executeQuery()) {
                        while (rows.next())
                            System.out.println(rows.getString("database") + " " + rows.getString("kind") + " " + rows.getLong("pool_size"));
                    }
                }
            }
            try (Statement s = c.createStatement()) {
                s.executeQuery("SELECT 1");
                System.out.println("no error");
            } catch (SQLException error) {
                System.out.println("error " + error.getSQLState());
            }
        }
    }
}
