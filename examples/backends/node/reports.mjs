// A service that knows the user from nginx. Only nginx may reach it: it listens on a socket, not on a port.
import { createServer } from "node:http";

createServer((request, response) => {
    response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" });
    response.end(JSON.stringify({ reportsOf: request.headers["x-user-id"], method: request.method }));
}).listen(process.env.SOCKET);
