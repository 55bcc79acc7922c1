"""A door like the ingest API's, for what the lab's uplink sends."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Ingest:
    """An ingest API that keeps what it is sent; `status` is what it answers."""

    def __init__(self, port: int = 0) -> None:
        self.rows: list[tuple[str, dict[str, Any]]] = []
        self.received_at = 0.0
        self.status = 200
        outer = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if outer.status == 200:
                    outer.rows += [(self.headers["Authorization"], row) for row in rows]
                    outer.received_at = time.time()
                answer = json.dumps({"accepted": len(rows), "rejected": []}).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Door)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def numbers(self) -> list[tuple[str, Any]]:
        return [(token, row["n"]) for token, row in self.rows]

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
