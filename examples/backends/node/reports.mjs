// A service that knows the user from nginx. Only nginx may reach it: it listens on a socket, not on a port.
import { createServer } from "node:http";

createServer((request, response) => {
    const user = request.headers["x-user-id"];
    response.writeHead(user ? 200 : 403, { "Content-Type": "application/json", "Cache-Control": "no-store" });
    response.end(JSON.stringify(user ? { reportsOf: user, method: request.method } : { message: "forbidden" }));
}).listen(process.env.SOCKET);
