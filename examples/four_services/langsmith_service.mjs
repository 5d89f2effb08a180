// A service with LangSmith's TypeScript SDK alone; it has never heard of OpenTelemetry.
import http from "node:http";
import { RunTree } from "langsmith/run_trees";
import { getCurrentRunTree, traceable, withRunTree } from "langsmith/traceable";

const { NAME, NEXT, PORT } = process.env;

const work = traceable(
  async () => {
    const headers = getCurrentRunTree().toHeaders();
    return `${NAME} ${await (await fetch(NEXT, { headers })).text()}`;
  },
  { name: `work of the ${NAME}` },
);

http
  .createServer(async (request, response) => {
    const caller = RunTree.fromHeaders(request.headers);
    response.end(await (caller ? withRunTree(caller, () => work()) : work()));
  })
  .listen(Number(PORT), "127.0.0.1");
