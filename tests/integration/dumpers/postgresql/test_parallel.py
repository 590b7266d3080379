"""Dumps by several streams hold what a dump by one holds, of one moment, and load as it does."""

from dumpers.engines.postgresql.engine import ENGINE
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.postgresql.parted import FILL, LEVELS, parts, rows_in_pieces
from tests.integration.dumpers.postgresql.test_zoo import both, holdings, zoo
from tests.integration.dumpers.postgresql.worlds import connection
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import S3Server

__all__ = ["zoo"]


@both
def test_the_zoo(
    dumper: Dumper, s3: S3Server, bucket: str, zoo: tuple[PostgresServer, str]
) -> None:
    server, name = zoo
    server.psql(FILL + LEVELS, name)
    copies = {}
    for parallelism in ("", "4"):
        ended = dumper.run(KSNAPSHOT_PARALLELISM=parallelism)
        server.psql("DROP DATABASE IF EXISTS zoo_copy")
        server.create_database("zoo_copy")
        pieces = parts(s3, bucket, ended)
        print([(p.part, p.size) for p in pieces])
        ENGINE.restore(connection(server, "zoo_copy"), pieces, Interrupt())
        copies[parallelism] = {
            name: held
            for name, held in holdings(server, "zoo_copy").items()
            if not name.startswith("rows of app.levels_")
        } | {"levels": server.psql("SELECT l, sum(i) FROM app.levels GROUP BY l", "zoo_copy")}
    assert copies["4"] == copies[""]
    print(rows_in_pieces(s3, bucket, ended))
