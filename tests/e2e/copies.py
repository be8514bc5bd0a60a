"""copies.py: COPY TO by libpq itself."""
from psycopg import pq


class Refused(Exception):
    def __init__(self, result):
        super().__init__(pq.error_message(result))
        self.sqlstate = result.error_field(pq.DiagnosticField.SQLSTATE).decode()


def copy_out(connection, sql, way="simple"):
    """([CopyData], command tag, CopyOutResponse: overall format, formats of the columns), by libpq itself."""
    raw = connection.pgconn
    result = raw.exec_(sql.encode()) if way == "simple" else raw.exec_params(sql.encode(), [])
    if result.status != pq.ExecStatus.COPY_OUT:
        raise Refused(result)
    shape = result.binary_tuples, [result.fformat(i) for i in range(result.nfields)]
    data = []
    while True:
        size, chunk = raw.get_copy_data(0)
        if size < 0:
            break
        data.append(bytes(chunk))
    last = raw.get_result()
    if last.status != pq.ExecStatus.COMMAND_OK:
        while raw.get_result() is not None:
            pass
        raise Refused(last)
    tag = last.command_status.decode()
    assert raw.get_result() is None
    return data, tag, shape
