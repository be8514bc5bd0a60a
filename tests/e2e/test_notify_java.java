// JDBC: notifications while idle. Arguments: URL, user, password. Prints each as "channel payload", and who sent its own.

import java.sql.*;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;

class Notify {
    public static void main(String[] a) throws Exception {
        try (Connection c = DriverManager.getConnection(a[0], a[1], a[2]); Connection other = DriverManager.getConnection(a[0], a[1], a[2])) {
            PGConnection pg = c.unwrap(PGConnection.class);
            try (Statement s = c.createStatement()) {
                s.execute("LISTEN ward_8");
            }
            try (PreparedStatement p = other.prepareStatement("SELECT pg_notify(?, ?)")) {
                p.setString(1, "ward_8");
                p.setString(2, "from another");
                p.execute();
            }
            print(pg, pg.getBackendPID());
            try (Statement s = c.createStatement()) {
                s.execute("NOTIFY ward_8, 'own'");
            }
            print(pg, pg.getBackendPID());
        }
    }

    static void print(PGConnection pg, int own) throws Exception {
        PGNotification[] got = pg.getNotifications(10000);
        for (PGNotification n : got == null ? new PGNotification[0] : got)
            System.out.println(n.getName() + " " + n.getParameter() + (n.getPID() == own ? " own" : " other"));
    }
}
