// JDBC's LargeObjectManager, which calls the lo_* functions by the function-call message. Arguments: URL, user, password. Prints what it
// did, a line each.

import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.largeobject.*;

public class test_large_objects_java {
    public static void main(String[] args) throws Exception {
        try (Connection c = DriverManager.getConnection(args[0], args[1], args[2])) {
            c.setAutoCommit(false);
            LargeObjectManager manager = c.unwrap(PGConnection.class).getLargeObjectAPI();
            try {
                long oid = manager.createLO(LargeObjectManager.READWRITE);
                LargeObject object = manager.open(oid, LargeObjectManager.READWRITE);
                byte[] image = new byte[300000];
                new Random(7).nextBytes(image);
                object.write(image);
                System.out.println("size " + object.size64() + " at " + object.tell64());
                object.seek64(1000, LargeObject.SEEK_SET);
                System.out.println("part " + Arrays.equals(object.read(5000), Arrays.copyOfRange(image, 1000, 6000)) + " at " + object.tell());
                object.truncate64(1234);
                System.out.println("size " + object.size());
                object.close();
                c.commit();
                LargeObject again = manager.open(oid, LargeObjectManager.READ);
                System.out.println("whole " + Arrays.equals(again.getInputStream().readAllBytes(), Arrays.copyOf(image, 1234)));
                again.close();
                manager.delete(oid);
                c.commit();
                manager.open(oid, LargeObjectManager.READ);
                System.out.println("it is still there");
            } catch (SQLException error) {
                System.out.println("error " + error.getSQLState());
                c.rollback();
            }
            try (Statement s = c.createStatement(); ResultSet rows = s.executeQuery("SELECT 1")) {
                rows.next();
                System.out.println("then " + rows.getInt(1));
            }
        }
    }
}
